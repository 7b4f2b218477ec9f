"""Where each pixel of a changed picture comes from: affine maps and elastic fields for a whole batch.

Everything is added into one grid, so a batch is resampled once (``torch.nn.functional.grid_sample``), whatever is
switched on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def make_affine_maps(angle: Tensor, shear: Tensor, across: Tensor, down: Tensor, shift: Tensor) -> Tensor:
    """The maps from output to input coordinates, as ``torch.nn.functional.affine_grid`` takes them.

    Args:
        angle: ``(N,)`` rotation in radians.
        shear: ``(N,)`` horizontal shift for one unit of height.
        across: ``(N,)`` what a width is multiplied by, from output to input; negative mirrors.
        down: ``(N,)`` the same of a height.
        shift: ``(N, 2)`` along x and y, where half a side is 1.

    Returns:
        ``(N, 2, 3)``.
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    shift_x, shift_y = shift.unbind(dim=1)
    rows = [across * cos, across * (shear * cos - sin), shift_x, down * sin, down * (shear * sin + cos), shift_y]
    return torch.stack(rows, dim=1).view(-1, 2, 3)  # (N, 6) -> (N, 2, 3)


def make_elastic_field(knots: Tensor, deviation: float, height: int, width: int) -> Tensor:
    """A smooth displacement in grid units, after Simard, Steinkraus and Platt, "Best practices for convolutional neural
    networks applied to visual document analysis", 2003.

    Args:
        knots: ``(N, 2, K, K)`` normal numbers, x and y; between them the field is cubic.
        deviation: standard deviation of the displacement at a knot, in pixels.
        height: of the picture.
        width: of the picture.

    Returns:
        ``(N, H, W, 2)``.
    """
    size = knots.shape[-1]
    rows, columns = (_interpolation(size, pixels, knots.device) for pixels in (height, width))
    field = rows @ (knots @ columns.T)  # (H, K) @ ((N, 2, K, K) @ (K, W)) -> (N, 2, H, W)
    x, y = field.unbind(dim=1)
    return torch.stack([x * (2 / width * deviation), y * (2 / height * deviation)], dim=-1)  # (N, H, W, 2)


def _interpolation(knots: int, pixels: int, device: torch.device) -> Tensor:
    """The matrix ``(pixels, K)`` of cubic interpolation between knots; two products are faster than ``interpolate``."""
    unit = torch.eye(knots, device=device).view(1, knots, knots, 1)  # a channel for each knot
    lines = functional.interpolate(unit, size=(pixels, 1), mode="bicubic", align_corners=True)
    return lines.view(knots, pixels).T  # (1, K, pixels, 1) -> (pixels, K)


def resample(images: Tensor, maps: Tensor, field: Tensor | None, padding: str = "zeros") -> Tensor:
    """Sample every picture along its map and its field, bilinearly.

    Args:
        images: ``(N, C, H, W)`` float.
        maps: ``(N, 2, 3)`` from :func:`make_affine_maps`.
        field: ``(N, H, W, 2)`` from :func:`make_elastic_field`, or None.
        padding: what lies outside the picture, as ``torch.nn.functional.grid_sample`` calls it.

    Returns:
        ``(N, C, H, W)``.
    """
    count, _, height, width = images.shape
    grid = functional.affine_grid(maps, [count, 1, height, width], align_corners=False)
    grid = grid if field is None else grid + field
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)
