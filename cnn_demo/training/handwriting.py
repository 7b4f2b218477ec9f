"""Augmentation of a whole batch on the training device: one warp, one change of the stroke's thickness.

Rotation, scale, shear, translation and the elastic field of Simard, Steinkraus and Platt ("Best practices for
convolutional neural networks applied to visual document analysis", 2003) are added into one grid, so a batch is
resampled once. Every random number comes from the generator that is handed in: equal state, equal batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import NO_CLASS, Split


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far a sample may be changed; amounts are uniform between minus and plus the value unless it says otherwise.

    Attributes:
        rotation: degrees.
        scale: natural logarithm of the factor, common to both axes.
        aspect: natural logarithm of the factor of the width, minus that of the height.
        shear: horizontal shift for one unit of height.
        translation: pixels along each axis.
        elastic: standard deviation of the displacement, in pixels.
        knots: knots of the elastic field along each axis; the field between them is smooth.
        thinner: largest part of a gray erosion by 3 × 3 that is mixed in.
        thicker: largest part of a gray dilation by 3 × 3 that is mixed in.
        untouched: part of the samples that stays as it is.
    """

    rotation: float = 10.0
    scale: float = 0.1
    aspect: float = 0.1
    shear: float = 0.15
    translation: float = 1.3
    elastic: float = 0.5
    knots: int = 6
    thinner: float = 0.35
    thicker: float = 0.5
    untouched: float = 0.35


DIGITS = Ranges()
# Clothes, characters and photos keep their slant and thickness; only a little movement is common to all.
OTHERS = Ranges(
    rotation=5, scale=0.06, aspect=0.04, shear=0.05, translation=1.5, elastic=0, thinner=0, thicker=0, untouched=0.1
)


def augment(images: Tensor, ranges: Ranges, generator: torch.Generator) -> Tensor:
    """Change every sample of a batch at random; outside the picture is 0.

    Args:
        images: ``(N, C, H, W)`` float in [0, 1], before normalization, on any device, in either memory format.
        ranges: how far.
        generator: where all random numbers come from, on any device. Its state and the batch decide the result.

    Returns:
        ``(N, C, H, W)`` in [0, 1] on the same device.
    """
    count, _, height, width = images.shape
    # One draw for the whole batch, whatever is switched on.
    dice = torch.rand(count, 8, generator=generator, device=generator.device).to(images.device) * 2 - 1
    moved = (dice[:, 7:] * 0.5 + 0.5 >= ranges.untouched).to(images.dtype)  # (N, 1)
    dice = dice[:, :7] * moved
    if ranges.thinner or ranges.thicker:
        images = _thickness(images, dice[:, 6], ranges)
    grid = functional.affine_grid(_affine(dice, ranges, height, width), [count, 1, height, width], align_corners=False)
    if ranges.elastic:
        knots = torch.randn(count, 2, ranges.knots, ranges.knots, generator=generator, device=generator.device).to(
            images.device
        )
        grid = grid + _elastic(knots * moved.view(-1, 1, 1, 1), ranges, height, width)
    warped = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    # A drawing's strongest ink is always 1; erosion and interpolation have just weakened thin strokes.
    return warped / warped.amax(dim=(1, 2, 3), keepdim=True).clamp(0.2, 1) if ranges.thinner else warped


def _affine(dice: Tensor, ranges: Ranges, height: int, width: int) -> Tensor:
    """The maps from output to input coordinates, ``(N, 2, 3)``, for dice ``(N, 7)`` in [-1, 1]."""
    angle = dice[:, 0] * (ranges.rotation * torch.pi / 180)
    scale, aspect = dice[:, 1] * ranges.scale, dice[:, 2] * (ranges.aspect / 2)
    shear = dice[:, 3] * ranges.shear
    cos, sin = torch.cos(angle), torch.sin(angle)
    across, down = torch.exp(-scale - aspect), torch.exp(-scale + aspect)
    shift_x, shift_y = dice[:, 4] * (2 * ranges.translation / width), dice[:, 5] * (2 * ranges.translation / height)
    rows = [across * cos, across * (shear * cos - sin), shift_x, down * sin, down * (shear * sin + cos), shift_y]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _elastic(knots: Tensor, ranges: Ranges, height: int, width: int) -> Tensor:
    """A smooth displacement in grid units, ``(N, H, W, 2)``, from normal knots ``(N, 2, K, K)``."""
    pixels = functional.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True)
    unit = torch.tensor([2 / width, 2 / height], device=knots.device) * ranges.elastic
    return pixels.permute(0, 2, 3, 1) * unit


def _thickness(images: Tensor, amount: Tensor, ranges: Ranges) -> Tensor:
    """Mix in a gray dilation where ``amount`` (N,) in [-1, 1] is positive, an erosion where it is negative."""
    thicker = functional.max_pool2d(images, 3, stride=1, padding=1)
    thinner = -functional.max_pool2d(-images, 3, stride=1, padding=1)
    more = (amount.clamp_min(0) * ranges.thicker).view(-1, 1, 1, 1)
    less = (-amount.clamp_max(0) * ranges.thinner).view(-1, 1, 1, 1)
    return images + more * (thicker - images) + less * (thinner - images)


STROKES = 0.5
PENS = 0.15
REDRAWN = 0.2
OUTLIERS = 0.15
WITHHELD = 0.25  # of the strokes, where also the styles that are kept for validation may be learnt


class Handwriting:
    """What ``augment = "handwriting"`` means: a batch transform, and more training samples drawn by a synthetic pen."""

    def __init__(
        self, spec: DatasetSpec, *, seed: int, device: torch.device | str = "cpu", all_styles: bool = False
    ) -> None:
        """Choose the ranges for a data set.

        Args:
            spec: the data set; only digits get thickness, elastic deformation and synthetic strokes.
            seed: decides the synthetic strokes.
            device: where the batches will be.
            all_styles: draw also the styles that are kept for validation: for a last training, when nothing is chosen
                any more.
        """
        self.spec, self.seed, self.device = spec, seed, torch.device(device)
        self.all_styles = all_styles
        self.ranges = DIGITS if spec.digits else OTHERS

    def extra(self, train: Split) -> Split | None:
        """More training samples, images ``(n, 1, 28, 28)`` uint8 on the host; None where there are none.

        For digits: :data:`STROKES` synthetic ones for each of ``train``, :data:`PENS` by real pens
        (``cnn_demo.handwriting.pens``), :data:`REDRAWN` of them written again, and :data:`OUTLIERS` letters, symbols
        and scribbles with the label ``NO_CLASS``, from which the network learns to give no class a high probability
        where there is no digit (Hendrycks, Mazeika, Dietterich, "Deep anomaly detection with outlier exposure", 2019).
        """
        if not self.spec.digits:
            return None
        from cnn_demo.handwriting import pens
        from cnn_demo.handwriting.redraw import redraw_with_pen
        from cnn_demo.handwriting.strokes import synthesize, synthesize_outliers

        count = round(len(train) * STROKES)
        withheld = round(count * WITHHELD) if self.all_styles else 0
        parts = [
            synthesize(count - withheld, self.seed),
            redraw_with_pen(train, round(len(train) * REDRAWN), self.seed),
        ]
        parts.append(pens.drawn(round(len(train) * PENS), self.seed))
        if withheld:
            parts.append(synthesize(withheld, self.seed, held_out=True))
        signs = synthesize_outliers(round(len(train) * OUTLIERS), self.seed, "training")
        parts.append(Split(signs, torch.full((len(signs),), NO_CLASS)))
        return Split(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Augment a batch in [0, 1], see :func:`augment`."""
        return augment(images, self.ranges, generator)
