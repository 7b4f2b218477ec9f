"""Why not a plain network: what a layer costs that connects everything, and what it does not know of places.

Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters, multiply-adds for one image, and bytes of the parameters in float32."""

    parameters: int
    multiply_adds: int

    @property
    def nbytes(self) -> int:
        """Four for each parameter."""
        return 4 * self.parameters


def count_linear(height: int, width: int, channels: int, units: int) -> Cost:
    """A fully connected layer on all pixels: every unit has a weight for every number."""
    weights = height * width * channels * units
    return Cost(weights + units, weights)


def count_convolution(height: int, width: int, channels: int, kernel: int, outputs: int) -> Cost:
    """A convolution that keeps the size: every place uses the same weights."""
    weights = kernel * kernel * channels * outputs
    return Cost(weights + outputs, weights * height * width)


def draw_permutation(pixels: int, seed: int) -> Tensor:
    """One fixed order of the pixels, ``(pixels,)``."""
    return torch.randperm(pixels, generator=torch.Generator().manual_seed(seed))


def shuffle_pixels(images: Tensor, order: Tensor) -> Tensor:
    """The pixels of every image in the same new order: ``(N, C, H, W)`` to the same shape."""
    return images.flatten(2)[..., order].view_as(images)  # (N, C, H, W) -> (N, C, H·W) -> (N, C, H, W)


def make_plain() -> nn.Module:
    """784 → 14 → 10, fully connected: 11,140 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 14), nn.ReLU(), nn.Linear(14, 10))


def make_convolutional() -> nn.Module:
    """Two convolutions of stride 2 and one linear layer: 11,386 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, stride=2),  # (N, 1, 28, 28) -> (N, 12, 13, 13)
        nn.ReLU(),
        nn.Conv2d(12, 24, 3, stride=2),  # -> (N, 24, 6, 6)
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(864, 10),
    )
