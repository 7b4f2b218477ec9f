"""Loss and accuracy of a model on a split."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.training.events import EvalResult

EVAL_BATCH = 1000


@torch.no_grad()
def predict_logits(model: nn.Module, data: DeviceDataset, *, batch_size: int = EVAL_BATCH) -> Tensor:
    """Logits ``(N, classes)`` of a whole split, in order, on the model's device. The model's mode is left alone."""
    device = next(model.parameters()).device
    index = torch.arange(len(data), device=device if data.on_device else "cpu")
    return torch.cat([model(data.batch(part)[0]) for part in index.split(batch_size)])


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: DeviceDataset,
    *,
    batch_size: int = EVAL_BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> EvalResult:
    """Mean cross-entropy (nats) and accuracy over all samples of a split, in eval mode.

    The sums run over samples, so a short last batch counts for what it holds. The model's mode is restored. One
    host–device synchronization for the whole split.

    Args:
        model: gives logits ``(N, classes)`` on the device of ``data``.
        data: the split.
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
    losses, hits = [], []
    model.eval()
    try:
        for done, part in enumerate(index.split(batch_size), start=1):
            images, labels = data.batch(part)
            logits = model(images).float()
            losses.append(F.cross_entropy(logits, labels, reduction="sum"))
            hits.append((logits.argmax(1) == labels).sum())
            if progress:
                progress(min(done * batch_size, len(data)), len(data))
        loss = torch.stack(losses).cpu().double().sum().item() / len(data)
        correct = int(torch.stack(hits).sum().item())
    finally:
        model.train(training)
    return EvalResult(loss, correct / len(data), len(data), time.perf_counter() - started)
