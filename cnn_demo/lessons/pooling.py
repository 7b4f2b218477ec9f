"""Pooling: the largest or the mean of a window, where the gradient goes, what a small shift still changes.

Sources: Boureau, Ponce and LeCun, "A theoretical analysis of feature pooling", 2010; Springenberg et al., "Striving for
simplicity: the all convolutional net", 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pool(x: Tensor, rule: str, size: int, stride: int) -> Tensor:
    """The largest (``max``) or the mean (``mean``) of each window: ``(H, W)`` to ``(H_out, W_out)``."""
    function = F.max_pool2d if rule == "max" else F.avg_pool2d
    return function(x[None, None], size, stride)[0, 0]


def list_windows(x: Tensor, size: int, stride: int) -> Tensor:
    """The numbers of every window: ``(H_out · W_out, size · size)``, row by row."""
    return F.unfold(x[None, None], size, stride=stride)[0].T


def compare_gradually(windows: Tensor, rule: str) -> Tensor:
    """The largest, or the mean, of the first 1, 2, 3… numbers of each window: the same shape."""
    if rule == "max":
        return windows.cummax(1).values
    return windows.cumsum(1) / torch.arange(1, windows.shape[1] + 1)


def route_gradient(x: Tensor, rule: str, size: int, stride: int) -> Tensor:
    """How much the sum of all outputs changes with each input: ``(H, W)``, by autograd."""
    x = x.clone().requires_grad_()
    pool(x, rule, size, stride).sum().backward()
    assert x.grad is not None
    return x.grad


def pool_by_convolution(x: Tensor, size: int, stride: int) -> Tensor:
    """The mean of each window as what it is: a convolution whose weights are all 1 / size², with the same stride."""
    return F.conv2d(x[None, None], torch.full((1, 1, size, size), 1 / size**2), stride=stride)[0, 0]


def measure_change(x: Tensor, shift: int, rule: str, size: int, stride: int) -> float:
    """By how much of its length a map changes when the image moves right by some pixels; rule "none": the image itself.

    The image is a ring here, so that nothing is lost at the border.
    """
    first, second = x, x.roll(shift, 1)
    if rule != "none":
        first, second = pool(first, rule, size, stride), pool(second, rule, size, stride)
    length = first.norm()
    return float((second - first).norm() / length) if length > 0 else 0.0
