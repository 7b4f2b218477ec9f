"""Loss and accuracy of a model on a split."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.training.events import EvalResult
from cnn_demo.training.objectives import Objective

EVAL_BATCH = 1000


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: DeviceDataset,
    objective: Objective,
    *,
    batch_size: int = EVAL_BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> EvalResult:
    """Mean loss and accuracy over all samples of a split, in eval mode.

    The sums run over samples, so a short last batch counts for what it holds. The model's mode is restored. One
    host–device synchronization for the whole split.

    Args:
        model: on the device of ``data``.
        data: the split.
        objective: says what the loss and a correct answer are.
        batch_size: samples per forward pass; it does not change the result beyond float rounding.
        progress: called with (samples done, samples in all).

    Raises:
        ValueError: the split is empty.
    """
    if len(data) == 0:
        raise ValueError("evaluate: the split is empty")
    started = time.perf_counter()
    training = model.training
    device = next(model.parameters()).device
    index = torch.arange(len(data), device=device if data.on_device else "cpu")
    losses, counts, done = [], [], 0
    model.eval()
    try:
        for part in index.split(batch_size):
            images, labels = data.batch(part)
            loss, correct = objective(model(images), objective.make_targets(labels))
            losses.append(loss * len(part))
            counts.append(correct)
            done += len(part)
            if progress:
                progress(done, len(data))
        loss_sum = torch.stack(losses).cpu().double().sum().item()
        correct_sum = int(torch.stack(counts).sum().item())
    finally:
        model.train(training)
    return EvalResult(loss_sum / len(data), correct_sum / len(data), len(data), time.perf_counter() - started)
