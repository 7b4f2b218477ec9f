"""Activations: curve and slope, and what is left of a signal and of its gradient after many layers.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010; He et
al., "Delving deep into rectifiers", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky-relu": F.leaky_relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
INITS = ("he", "glorot", "small", "large")


def find_slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The derivative at each number of ``x``, by autograd: the same shape."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(x).sum(), x)
    return slope


def find_deviation(init: str, width: int) -> float:
    """The standard deviation of a square layer's weights.

    Args:
        init: he: √(2 / width); glorot: √(2 / (width + width)); small: half of glorot's; large: twice he's.
        width: inputs and outputs of the layer.
    """
    he, glorot = (2 / width) ** 0.5, (2 / (width + width)) ** 0.5
    return {"he": he, "glorot": glorot, "small": glorot / 2, "large": 2 * he}[init]


@dataclass(frozen=True, slots=True)
class Depth:
    """What passes through a stack of layers.

    Attributes:
        variances: ``(layers + 1,)`` of the numbers before the first layer and after every layer's activation.
        gradients: ``(layers + 1,)`` the root mean square of the gradient at the same places, of the sum of the last.
        silent: the share of units after the last layer that are 0 for every input of the batch.
    """

    variances: Tensor
    gradients: Tensor
    silent: float


def pass_through(activation: str, layers: int, init: str, seed: int = 0, width: int = 64, batch: int = 64) -> Depth:
    """Send random numbers through linear layers without biases, each with an activation, and back by autograd."""
    function, stream = ACTIVATIONS[activation], torch.Generator().manual_seed(seed)
    deviation = find_deviation(init, width)
    x = torch.randn(batch, width, generator=stream).requires_grad_()
    places = [x]
    for _layer in range(layers):
        weight = torch.randn(width, width, generator=stream) * deviation
        places.append(function(F.linear(places[-1], weight)))
    gradients = torch.autograd.grad(places[-1].sum(), places)
    return Depth(
        torch.stack([place.detach().var() for place in places]),
        torch.stack([gradient.square().mean().sqrt() for gradient in gradients]),
        float((places[-1] == 0).all(0).float().mean()),
    )
