"""A digit turned, shifted, scaled and thickened, many ways in one batch: what would change a network's mind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.drawing.prepare import Drawing

ANGLES: tuple[int, ...] = tuple(range(-180, 181, 5))


@dataclass(frozen=True, slots=True)
class Variation:
    """What is done to a picture, in this order: thicken, scale and rotate about the middle, shift.

    Attributes:
        angle: degrees, counter-clockwise.
        right, down: pixels of the network's input; may be fractions.
        scale: above 0; 1 leaves the size.
        thickness: pixels added on each side of a stroke (gray dilation by 3 × 3), or taken away where negative
            (erosion); fractions mix the two neighbors.
    """

    angle: float = 0.0
    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    thickness: float = 0.0

    @property
    def still(self) -> bool:
        """Whether it leaves every picture as it is."""
        return self == Variation()


def vary(picture: Tensor, variations: Sequence[Variation]) -> Tensor:
    """Apply each variation to one picture.

    Args:
        picture: ``(C, H, W)`` float in [0, 1], black ground.
        variations: at least one.

    Returns:
        ``(N, C, H, W)``; black where nothing was. Bilinear, as ``torch.nn.functional.grid_sample``.

    Raises:
        ValueError: a scale of 0 or less.
    """
    thick = {v.thickness for v in variations}
    stroked = {t: _thicken(picture, t) for t in thick}
    stack = torch.stack([stroked[v.thickness] for v in variations])  # (N, C, H, W)
    thetas = torch.stack([_theta(v, picture.shape[2], picture.shape[1]) for v in variations])
    grid = F.affine_grid(thetas, list(stack.shape), align_corners=False)
    moved = F.grid_sample(stack, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    for row, variation in enumerate(variations):
        if (variation.angle, variation.right, variation.down, variation.scale) == (0, 0, 0, 1):
            moved[row] = stack[row]  # not even a rounding error between "as it is" and the prediction above
    return moved


def _theta(v: Variation, width: int, height: int) -> Tensor:
    """From output to input coordinates in grid units, ``(2, 3)``."""
    if v.scale <= 0:
        raise ValueError(f"scale = {v.scale}: expected a number above 0")
    cos, sin = math.cos(math.radians(v.angle)) / v.scale, math.sin(math.radians(v.angle)) / v.scale
    # In pixels about the middle, x right and y down: undo the shift, then turn back.
    x0, y0 = -(cos * v.right - sin * v.down), -(sin * v.right + cos * v.down)
    return torch.tensor(
        [[cos, -sin * height / width, 2 * x0 / width], [sin * width / height, cos, 2 * y0 / height]],
        dtype=torch.float32,
    )


def _thicken(picture: Tensor, pixels: float) -> Tensor:
    grow = pixels > 0
    whole, part = divmod(abs(pixels), 1)
    for _ in range(int(whole)):
        picture = _step(picture, grow)
    return picture if part == 0 else (1 - part) * picture + part * _step(picture, grow)


def _step(picture: Tensor, grow: bool) -> Tensor:
    if grow:
        return F.max_pool2d(picture[None], 3, stride=1, padding=1)[0]
    return -F.max_pool2d(-picture[None], 3, stride=1, padding=1)[0]


def picture_of(drawing: Drawing) -> Tensor:
    """What a network sees of a drawing, before normalization: ``(C, H, W)`` float32 in [0, 1]."""
    field = torch.tensor(drawing.stages[-1].image)
    return field[None] if field.ndim == 2 else field.permute(2, 0, 1)  # (H, W) or (H, W, C) -> (C, H, W)


def varied_inputs(drawing: Drawing, spec: DatasetSpec, variations: Sequence[Variation]) -> Tensor:
    """The input of a network for each variation of what it sees of a drawing: ``(N, C, H, W)``, normalized.

    Args:
        drawing: prepared for ``spec``.
        spec: the data set of the network.
        variations: at least one.
    """
    inputs = normalize(vary(picture_of(drawing), variations).clamp(0, 1), spec)
    for row, variation in enumerate(variations):
        if variation.still:
            inputs[row] = drawing.input[0]
    return inputs
