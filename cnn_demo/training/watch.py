"""What a network in training makes of a few pictures, seen from report to report. Watching changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cnn_demo.training.events import Watched
from cnn_demo.training.trainer import Trainer

MOST_KERNELS = 16
_SHARE = 0.01  # of the time, at most, goes into looking
_SECONDS = 0.2  # between two looks, at least


class Watcher:
    """Looks at the network that is evaluated, in eval mode and without gradients.

    Nothing is drawn from a random generator, no running statistic moves, and every layer is put back into the mode in
    which it was. So the weights are the same, bit for bit, whoever looks. The pictures are never learnt from here.

    Args:
        trainer: the model in training.
        inputs: ``(N, C, H, W)`` float32, normalized.
    """

    def __init__(self, trainer: Trainer, inputs: Tensor) -> None:
        self._model = trainer.eval_model
        layout = torch.channels_last if trainer.config.channels_last else torch.contiguous_format
        self._inputs = inputs.to(trainer.device, memory_format=layout)
        self._kernels = find_first_kernels(self._model, inputs.shape[1])
        self._cost = float("inf")
        self._looked = float("-inf")
        self.step = -1  # at which it looked last

    @property
    def due(self) -> bool:
        """Whether another look costs at most a hundredth of the time since the last one."""
        return time.perf_counter() - self._looked >= max(_SECONDS, self._cost / _SHARE)

    def look(self, step: int, epoch: float) -> Watched:
        """Answer to every picture with the weights of this moment.

        Args:
            step: optimizer steps done.
            epoch: fractional epochs done.
        """
        began = time.perf_counter()
        with _evaluating(self._model), torch.no_grad():
            probabilities = self._model(self._inputs).float().softmax(dim=1).cpu()
        kernels = torch.zeros(0, 0, 0, 0)
        if self._kernels is not None:
            kernels = self._kernels.detach()[:MOST_KERNELS].to("cpu", torch.float32, copy=True)
        self._looked = time.perf_counter()
        # The least: the first look also pays for what PyTorch sets up once.
        self._cost = min(self._cost, self._looked - began)
        self.step = step
        return Watched(step, epoch, probabilities, kernels)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block a model is in eval mode; then each of its layers is in the mode in which it was."""
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def find_first_kernels(model: nn.Module, channels: int) -> Tensor | None:
    """The weights ``(out, channels, h, w)`` of the first convolution that reads the image; None where there is none.

    Args:
        model: any model.
        channels: of the image.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.weight if layer.weight.shape[1] == channels else None
    return None
