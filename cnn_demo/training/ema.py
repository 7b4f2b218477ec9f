"""A running mean of the weights, which is often better than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ModelEma:
    """An exponential moving average of a model's parameters and floating-point buffers.

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, in the exponential form. After
    step ``t`` the mean moves towards the weights by ``1 - min(decay, (1 + t) / (10 + t))``: at first it forgets
    quickly, so that the random weights of the beginning do not linger. Buffers that count are copied. (PyTorch's
    ``AveragedModel`` with its EMA forgets at one pace, and where it averages buffers it averages counts as well.)

    Attributes:
        model: a copy of the model that holds the mean, without gradients, in train mode like the model.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin the mean at the model's weights.

        Args:
            model: the model in training, already on its device.
            decay: how much of the mean is kept at each step in the long run, above 0 and below 1.
        """
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False)
        pairs = list(zip(_tensors(self.model), _tensors(model), strict=True))
        self._mean = [mean for mean, _ in pairs if mean.is_floating_point()]
        self._weights = [weight for _, weight in pairs if weight.is_floating_point()]
        self._counts = [(mean, count) for mean, count in pairs if not mean.is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after optimizer step ``step``, which counts from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(self._mean, self._weights, step)
        for mean, count in self._counts:
            mean.copy_(count)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
