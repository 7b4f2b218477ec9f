"""The table of batch augmentations. Reading the table does not import PyTorch.

To add one, write a class in a file of its own, after the manner of :class:`Augmentation`, and add a line to the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from cnn_demo.locales import N_
from cnn_demo.settings.description import Real, Setting
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cnn_demo.datasets.specs import DatasetSpec
    from cnn_demo.datasets.splits import Split
    from cnn_demo.settings.config import TrainConfig


def _describe_strength(name: str, default: float, high: float, step: float, title: str, help: str) -> Setting:
    """How strong one random change is; 0 leaves it out."""
    return Setting(name, default, Real(0, high, step=step), title, help=help, group="data")


RANDOM_CHANGES: tuple[Setting, ...] = (
    _describe_strength("rotation", 10.0, 180, 5, N_("Rotation"), N_("Turn by up to so many degrees, either way.")),
    _describe_strength(
        "scale",
        0.1,
        3,
        0.05,
        N_("Scale"),
        N_("Enlarge or shrink by up to this much: 0.1 is between 1/1.1 and 1.1 times."),
    ),
    _describe_strength(
        "translation", 2.0, 32, 1, N_("Translation"), N_("Shift by up to so many pixels along each axis.")
    ),
    _describe_strength("shear", 0.0, 60, 5, N_("Shear"), N_("Slant by up to so many degrees, either way.")),
    _describe_strength(
        "elastic",
        0.0,
        5,
        0.25,
        N_("Elastic deformation"),
        N_("Bend the picture smoothly; the standard deviation of the shift, in pixels."),
    ),
    _describe_strength(
        "flip", 0.0, 1, 0.5, N_("Mirroring"), N_("The part of the pictures that is mirrored left to right.")
    ),
    _describe_strength(
        "brightness", 0.0, 1, 0.1, N_("Brightness"), N_("Multiply all pixels by 1, plus or minus up to this much.")
    ),
    _describe_strength(
        "contrast",
        0.0,
        1,
        0.1,
        N_("Contrast"),
        N_("Multiply the distance of all pixels from their mean by 1, plus or minus up to this much."),
    ),
    _describe_strength(
        "noise",
        0.0,
        1,
        0.05,
        N_("Noise"),
        N_("Add normal noise to every pixel, of a standard deviation up to this; black is 0 and white is 1."),
    ),
    _describe_strength(
        "erasing",
        0.0,
        0.9,
        0.1,
        N_("Random erasing"),
        N_("Cover a rectangle of up to this part of the picture with its mean color, in every second picture."),
    ),
    _describe_strength(
        "mixup",
        0.0,
        10,
        0.1,
        N_("MixUp alpha"),
        N_(
            "Blend each picture with another one, and its target likewise; the shares come from Beta(alpha, alpha). "
            "Small values blend most pictures only a little."
        ),
    ),
    _describe_strength(
        "cutmix",
        0.0,
        10,
        0.5,
        N_("CutMix alpha"),
        N_(
            "Put a rectangle of another picture into each picture, and as much of its target as its area; the area "
            "comes from Beta(alpha, alpha). With MixUp as well, each picture gets one of the two."
        ),
    ),
)

AUGMENTATIONS = Registry("augmentation")
AUGMENTATIONS.add("none", N_("None"), "cnn_demo.training.augmentations:no_augmentation")
AUGMENTATIONS.add(
    "handwriting",
    N_("Handwriting"),
    "cnn_demo.training.handwriting:Handwriting",
    help=N_(
        "Random rotation, scale, shear and shift; for digits also elastic deformation, stroke thickness, and samples"
        " by real and synthetic pens."
    ),
    added_share=1.0,  # samples of pens for each of the data set, see handwriting/samples.py
)
AUGMENTATIONS.add(
    "random",
    N_("Random changes"),
    "cnn_demo.training.transforms:RandomChanges",
    help=N_("Each kind of change has its own strength; 0 leaves it out."),
    options=RANDOM_CHANGES,
)


class Augmentation(Protocol):
    """Changes a batch at random; built with ``(spec, seed, validated, **options)``.

    One that remembers something from step to step also has ``state_dict`` and ``load_state_dict``: a snapshot keeps it.
    """

    def extra_samples(self, train: Split, progress: Callable[[float], None]) -> Split | None:
        """More training samples, on the host; None where there are none. ``progress`` is told the part that is done."""

    def __call__(self, images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            images: ``(N, C, H, W)`` float in [0, 1], before normalization.
            targets: ``(N, classes)``, each row sums to 1.
            generator: where all random numbers come from. It is seeded anew for every step.

        Returns:
            Images and targets of the same shapes.
        """


def no_augmentation(spec: DatasetSpec, seed: int, validated: bool) -> None:
    """The builder of ``none``: batches stay as they are."""


def create_augmentation(config: TrainConfig, spec: DatasetSpec) -> Augmentation | None:
    """Build the augmentation that a config names; None where batches stay as they are."""
    entry = AUGMENTATIONS.get(config.augment)
    validated = config.val_fraction > 0
    augmentation: Augmentation | None = entry.load()(spec, config.seed, validated, **entry.option_values(config))
    return augmentation
