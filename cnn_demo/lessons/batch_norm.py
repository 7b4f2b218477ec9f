"""Batch norm: one formula, two modes, and a training that it saves.

Sources: Ioffe and Szegedy, "Batch normalization", 2015; Santurkar et al., "How does batch normalization help
optimization?", 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPS = 1e-5


def draw_batch(size: int, shift: float, scale: float, seed: int = 0) -> Tensor:
    """``size`` numbers of one channel, ``(size,)``: standard normal ones, times ``scale``, plus ``shift``."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * scale + shift


def normalize_batch(x: Tensor, gamma: float, beta: float, eps: float = EPS) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What batch norm does in train(), written out.

    Args:
        x: ``(N,)`` the numbers of one channel.
        gamma, beta: learnt scale and shift.
        eps: keeps the root away from zero.

    Returns:
        The mean of the batch, its variance (divided by N), x̂ and y, the last two ``(N,)``.
    """
    mean = x.mean()
    variance = ((x - mean) ** 2).mean()
    normalized = (x - mean).div((variance + eps).sqrt())
    return mean, variance, normalized, gamma * normalized + beta


def normalize_running(x: Tensor, mean: Tensor, variance: Tensor, gamma: float, beta: float, eps: float = EPS) -> Tensor:
    """What batch norm does in eval(): with the running mean and variance, whatever the batch is."""
    return gamma * (x - mean).div((variance + eps).sqrt()) + beta


def follow_running(batches: int, size: int, shift: float, scale: float, momentum: float = 0.1) -> tuple[Tensor, Tensor]:
    """Running mean and variance of ``nn.BatchNorm1d`` before and after each batch: ``(batches + 1,)`` both."""
    layer = nn.BatchNorm1d(1, momentum=momentum).train()
    assert layer.running_mean is not None
    assert layer.running_var is not None
    means, variances = [layer.running_mean[0].clone()], [layer.running_var[0].clone()]
    with torch.no_grad():
        for number in range(batches):
            layer(draw_batch(size, shift, scale, seed=number)[:, None])  # (N,) -> (N, 1)
            means.append(layer.running_mean[0].clone())
            variances.append(layer.running_var[0].clone())
    return torch.stack(means), torch.stack(variances)


def make_deep_network(normalized: bool, layers: int = 8, width: int = 64) -> nn.Module:
    """A stack of linear layers with ReLU for digits, with or without batch norm before each ReLU."""
    parts: list[nn.Module] = [nn.Flatten()]
    for number in range(layers):
        parts.append(nn.Linear(784 if number == 0 else width, width))
        parts += [nn.BatchNorm1d(width)] if normalized else []
        parts.append(nn.ReLU())
    return nn.Sequential(*parts, nn.Linear(width, 10))
