"""The augmentation ``handwriting``: a whole batch on the training device, by one warp and one change of thickness.

Rotation, scale, shear, translation and an elastic field are added into one grid, so a batch is resampled once. Every
random number comes from the generator that is handed in: equal state, equal batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.training.warp import make_affine_maps, make_elastic_field, resample


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
    amounts = torch.rand(count, 8, generator=generator, device=generator.device).to(images.device) * 2 - 1
    is_changed = (amounts[:, 7:] * 0.5 + 0.5 >= ranges.untouched).to(images.dtype)  # (N, 1)
    amounts = amounts[:, :7] * is_changed
    if ranges.thinner or ranges.thicker:
        images = _thickness(images, amounts[:, 6], ranges)
    field = None
    if ranges.elastic:
        knots = torch.randn(count, 2, ranges.knots, ranges.knots, generator=generator, device=generator.device)
        knots = knots.to(images.device) * is_changed.view(-1, 1, 1, 1)
        field = make_elastic_field(knots, ranges.elastic, height, width)
    warped = resample(images, _affine(amounts, ranges, height, width), field)
    # A drawing's strongest ink is always 1; erosion and interpolation have just weakened thin strokes.
    return warped / warped.amax(dim=(1, 2, 3), keepdim=True).clamp(0.2, 1) if ranges.thinner else warped


def _affine(amounts: Tensor, ranges: Ranges, height: int, width: int) -> Tensor:
    """The maps from output to input coordinates, ``(N, 2, 3)``, for amounts ``(N, 7)`` in [-1, 1]."""
    scale, aspect = amounts[:, 1] * ranges.scale, amounts[:, 2] * (ranges.aspect / 2)
    shift = [amounts[:, 4] * (2 * ranges.translation / width), amounts[:, 5] * (2 * ranges.translation / height)]
    return make_affine_maps(
        angle=amounts[:, 0] * (ranges.rotation * torch.pi / 180),
        shear=amounts[:, 3] * ranges.shear,
        across=torch.exp(-scale - aspect),
        down=torch.exp(-scale + aspect),
        shift=torch.stack(shift, dim=1),
    )


def _thickness(images: Tensor, amount: Tensor, ranges: Ranges) -> Tensor:
    """Mix in a gray dilation where ``amount`` (N,) in [-1, 1] is positive, an erosion where it is negative."""
    thicker = functional.max_pool2d(images, 3, stride=1, padding=1)
    thinner = -functional.max_pool2d(-images, 3, stride=1, padding=1)
    more = (amount.clamp_min(0) * ranges.thicker).view(-1, 1, 1, 1)
    less = (-amount.clamp_max(0) * ranges.thinner).view(-1, 1, 1, 1)
    return images + more * (thicker - images) + less * (thinner - images)


class Handwriting:
    """What ``augment = "handwriting"`` means: a batch transform, and more training samples drawn by pens."""

    def __init__(self, spec: DatasetSpec, seed: int, validated: bool) -> None:
        """Choose the ranges for a data set.

        Args:
            spec: the data set; only digits get thickness, elastic deformation and more samples.
            seed: decides the samples.
            validated: whether the run chooses anything by validation. Only where it does not, its samples also have the
                styles of writing that are kept for validation.
        """
        self.spec, self.seed, self.validated = spec, seed, validated
        self.ranges = DIGITS if spec.digits else OTHERS

    def extra_samples(self, train: Split, progress: Callable[[float], None]) -> Split | None:
        """More training samples; None for data sets without digits."""
        from cnn_demo.handwriting.samples import extra_samples  # only a training needs what it imports

        return extra_samples(self.spec, train, self.seed, all_styles=not self.validated, progress=progress)

    def __call__(self, images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augment a batch in [0, 1], see :func:`augment`; the targets stay as they are."""
        return augment(images, self.ranges, generator), targets
