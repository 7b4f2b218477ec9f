"""Translation equivariance: whether it makes a difference if one moves the image or the map.

Sources: Cohen and Welling, "Group equivariant convolutional networks", 2016; Zhang, "Making convolutional networks
shift-invariant again", 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_demo.inspect.variations import Variation, vary
from cnn_demo.training.warp import make_affine_maps, resample


def translate(x: Tensor, down: int, right: int, around: bool = False) -> Tensor:
    """Move ``x (..., H, W)`` by whole cells; what comes in is zero, or what left on the other side if ``around``."""
    moved = x.roll((down, right), (-2, -1))
    if around:
        return moved
    height, width = x.shape[-2:]
    rows, columns = torch.arange(height) - down, torch.arange(width) - right
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    return moved * inside


def filter_image(x: Tensor, kernel: Tensor, stride: int = 1, around: bool = False) -> Tensor:
    """A convolution that keeps the size at stride 1: ``(H, W)`` and ``(k, k)``, k odd, to ``(H / s, W / s)``."""
    reach = kernel.shape[0] // 2
    padded = F.pad(x[None, None], (reach,) * 4, mode="circular") if around else F.pad(x[None, None], (reach,) * 4)
    return F.conv2d(padded, kernel[None, None], stride=stride)[0, 0]


def pool_image(x: Tensor, size: int = 2) -> Tensor:
    """The largest value of every window, the windows side by side: ``(H, W)`` to ``(H / size, W / size)``."""
    return F.max_pool2d(x[None, None], size)[0, 0]


def turn_or_scale_each(images: Tensor, angles: Tensor, scales: Tensor) -> Tensor:
    """Turn each image of ``(N, C, H, W)`` by its degrees ``(N,)``, counter-clockwise, and scale it; zeros come in."""
    radians = torch.deg2rad(angles)
    across = 1 / scales  # from output to input coordinates
    maps = make_affine_maps(radians, torch.zeros_like(radians), across, across, torch.zeros(len(images), 2))
    return resample(images, maps, None)


def turn_or_scale(x: Tensor, angle: float = 0.0, scale: float = 1.0) -> Tensor:
    """Turn ``x (H, W)`` by degrees and scale it about its center; bilinear interpolation between neighbors."""
    return vary(x[None], [Variation(angle=angle, scale=scale)])[0, 0]
