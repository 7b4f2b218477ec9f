"""The augmentation ``random``: changes to a whole batch on the training device, each with a strength of its own.

torchvision's transforms draw one set of random numbers for a batch. Here every sample has its own, so its geometry is a
row of one ``grid_sample`` for the batch, whatever is switched on. Every random number comes from the generator that is
handed in, and each kind of change has its own place among them: switching one on does not change the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.training.warp import make_affine_maps, make_elastic_field, resample

# The columns of the random numbers of a batch.
_COLUMNS = (
    *("rotation", "scale", "shift_x", "shift_y", "shear", "flip", "brightness", "contrast", "noise"),
    *("erase", "erase_share", "erase_shape", "erase_x", "erase_y", "mix", "mix_share", "mix_x", "mix_y"),
)
_KNOTS = 6  # of the elastic field along each axis
_ERASED = 0.5  # the part of the samples that gets a rectangle, as in the paper
_SHAPES = 0.3  # the flattest rectangle that is erased: height by width, as in the paper
_QUANTILES = 1024  # of a Beta distribution, besides the first


@dataclass(frozen=True, slots=True)
class Strengths:
    """How strong each change is; 0 leaves it out. The units are those of ``augmentations.RANDOM_CHANGES``."""

    rotation: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def warps(self) -> bool:
        """Whether any change moves pixels."""
        return any((self.rotation, self.scale, self.translation, self.shear, self.elastic, self.flip))


class RandomChanges:
    """What ``augment = "random"`` means: a batch transform that may mix targets; no more samples."""

    def __init__(self, spec: DatasetSpec, seed: int, validated: bool, **strengths: float) -> None:
        """Choose what to do.

        Args:
            spec: the data set. Beside a gray picture is black; a photo is reflected at its edges.
            seed: unused, the generator of a step is seeded with it.
            validated: unused, all samples are the data set's own.
            strengths: see :class:`Strengths`.
        """
        self.strengths = Strengths(**strengths)
        self._padding = "zeros" if spec.channels == 1 else "reflection"
        self._mean = spec.mean
        alphas = {"mixup": self.strengths.mixup, "cutmix": self.strengths.cutmix}
        self._quantiles = {name: make_beta_quantiles(alpha) for name, alpha in alphas.items() if alpha}

    def extra_samples(self, train: Split, progress: Callable[[float], None]) -> Split | None:
        """None: there are no more samples."""

    def __call__(self, images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Change a batch in [0, 1], see :class:`cnn_demo.training.augmentations.Augmentation`."""
        strengths, device = self.strengths, generator.device
        uniform = torch.rand(len(_COLUMNS), len(images), generator=generator, device=device).to(images.device)
        draws = dict(zip(_COLUMNS, uniform, strict=True))  # (N,) in [0, 1) each
        if strengths.warps:
            images = self._warp(images, draws, generator)
        if strengths.brightness or strengths.contrast or strengths.noise:
            images = _change_pixels(images, draws, strengths, generator)
        if strengths.erasing:
            images = self._erase(images, draws)
        if strengths.mixup or strengths.cutmix:
            return self._mix(images, targets, draws)
        return images, targets

    def _warp(self, images: Tensor, draws: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        strengths, (count, _, height, width) = self.strengths, images.shape
        factor = torch.exp(_around_zero(draws["scale"]) * -float(np.log1p(strengths.scale)))
        shift_x = _around_zero(draws["shift_x"]) * (2 * strengths.translation / width)
        shift_y = _around_zero(draws["shift_y"]) * (2 * strengths.translation / height)
        maps = make_affine_maps(
            angle=_around_zero(draws["rotation"]) * float(np.deg2rad(strengths.rotation)),
            shear=torch.tan(_around_zero(draws["shear"]) * float(np.deg2rad(strengths.shear))),
            across=torch.where(draws["flip"] < strengths.flip, -factor, factor),
            down=factor,
            shift=torch.stack([shift_x, shift_y], dim=1),
        )
        field = None
        if strengths.elastic:
            knots = torch.randn(count, 2, _KNOTS, _KNOTS, generator=generator, device=generator.device)
            field = make_elastic_field(knots.to(images.device), strengths.elastic, height, width)
        return resample(images, maps, field, self._padding)

    def _erase(self, images: Tensor, draws: dict[str, Tensor]) -> Tensor:
        """Cover rectangles with the mean color of the data set.

        Zhong et al., "Random erasing data augmentation", 2020.
        """
        height, width = images.shape[2:]
        share = torch.where(draws["erase"] < _ERASED, draws["erase_share"] * self.strengths.erasing, 0.0)
        shape = torch.exp(_around_zero(draws["erase_shape"]) * float(np.log(_SHAPES)))
        center = draws["erase_x"], draws["erase_y"]
        covered = cut_rectangles((share * shape).sqrt(), (share / shape).sqrt(), *center, height, width)
        if images.shape[1] == 1:
            return images.masked_fill(covered, self._mean[0])
        colors = [c.masked_fill(covered[:, 0], m) for c, m in zip(images.unbind(dim=1), self._mean, strict=True)]
        return torch.stack(colors, dim=1)

    def _mix(self, images: Tensor, targets: Tensor, draws: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mix every sample with the one before it in the batch, which is in random order.

        Zhang et al., "mixup: beyond empirical risk minimization", 2018; Yun et al., "CutMix: regularization strategy to
        train strong classifiers with localizable features", 2019, with the target's shares from the pixels.
        """
        height, width = images.shape[2:]
        # Copied at the first step only: a copy to a GPU makes the host wait.
        self._quantiles = {name: quantiles.to(images.device) for name, quantiles in self._quantiles.items()}
        if "cutmix" in self._quantiles:
            side = take_quantile(self._quantiles["cutmix"], draws["mix_share"]).sqrt()
            weights = cut_rectangles(side, side, draws["mix_x"], draws["mix_y"], height, width).to(images.dtype)
        if "mixup" in self._quantiles:
            blend = take_quantile(self._quantiles["mixup"], draws["mix_share"]).view(-1, 1, 1, 1)
            # Which of the two comes first is chance, so this draws the same pairs; but a batch never holds one picture
            # twice, nearly pure.
            blend = torch.minimum(blend, 1 - blend)
            is_cut = (draws["mix"] < 0.5).view(-1, 1, 1, 1)
            weights = torch.where(is_cut, weights, blend) if "cutmix" in self._quantiles else blend
        shares = weights.mean(dim=(1, 2, 3)).view(-1, 1)  # of the other sample
        mixed = torch.lerp(images, images.roll(1, 0), weights.expand_as(images))
        return mixed, torch.lerp(targets, targets.roll(1, 0), shares.expand_as(targets))


def _around_zero(uniform: Tensor) -> Tensor:
    """From [0, 1) to [-1, 1)."""
    return uniform * 2 - 1


def _change_pixels(
    images: Tensor, draws: dict[str, Tensor], strengths: Strengths, generator: torch.Generator
) -> Tensor:
    """Brightness, contrast and noise, in this order; the result is cut to [0, 1]."""

    def factor(name: str, strength: float) -> Tensor:
        return (1 + _around_zero(draws[name]) * strength).view(-1, 1, 1, 1)

    if strengths.brightness:
        images = images * factor("brightness", strengths.brightness)
    if strengths.contrast:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = mean + (images - mean) * factor("contrast", strengths.contrast)
    if strengths.noise:
        normal = torch.randn(images.shape, generator=generator, device=generator.device).to(images.device)
        images = images + normal * (draws["noise"] * strengths.noise).view(-1, 1, 1, 1)
    return images.clamp(0, 1)


def cut_rectangles(wide: Tensor, tall: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in a rectangle; what lies outside the picture is cut off.

    Args:
        wide: ``(N,)`` width, where the picture's is 1; rounded to whole pixels.
        tall: ``(N,)`` height, likewise.
        x: ``(N,)`` center in [0, 1].
        y: ``(N,)`` center in [0, 1].
        height: of the picture.
        width: of the picture.

    Returns:
        ``(N, 1, H, W)`` bool.
    """

    def inside(center: Tensor, length: Tensor, pixels: int) -> Tensor:
        begin = ((center - length / 2) * pixels).round().view(-1, 1)
        end = ((center + length / 2) * pixels).round().view(-1, 1)
        places = torch.arange(pixels, device=center.device)
        return (places >= begin) & (places < end)

    return (inside(y, tall, height).unsqueeze(2) & inside(x, wide, width).unsqueeze(1)).unsqueeze(1)


def make_beta_quantiles(alpha: float) -> Tensor:
    """The quantiles of Beta(alpha, alpha) at equal steps from 0 to 1, ``(K + 1,)`` float32.

    PyTorch draws from a Beta distribution only with its global generator, and not on every device; a table serves all.
    """
    # Below 1/2, with x = w ** (1 / alpha) / 2 the density of w is (1 - x) ** (alpha - 1): smooth for every alpha.
    edges = np.linspace(0, 1, 16 * _QUANTILES + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    mass = np.concatenate([[0], np.cumsum((1 - middles ** (1 / alpha) / 2) ** (alpha - 1))])
    steps = np.linspace(0, 1, _QUANTILES // 2 + 1)
    lower = np.interp(steps, mass / mass[-1], edges) ** (1 / alpha) / 2
    return torch.tensor(np.concatenate([lower, 1 - lower[-2::-1]]), dtype=torch.float32)


def take_quantile(quantiles: Tensor, uniform: Tensor) -> Tensor:
    """Draws ``(N,)`` of a distribution from its quantiles ``(K + 1,)`` and uniform numbers ``(N,)``, on one device."""
    place = uniform * (len(quantiles) - 1)
    low = place.long()
    return torch.lerp(quantiles[low], quantiles[low + 1], place - low)
