"""The table of batch augmentations. Reading the table does not import PyTorch.

To add one, write a class in a file of its own, after the manner of :class:`Augmentation`, and add a line to the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cnn_demo.datasets.specs import DatasetSpec
    from cnn_demo.datasets.splits import Split
    from cnn_demo.settings.config import TrainConfig

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
)


class Augmentation(Protocol):
    """Changes a batch at random; built with ``(spec, seed, validated, **options)``.

    One that remembers something from step to step also has ``state_dict`` and ``load_state_dict``: a snapshot keeps it.
    """

    def extra_samples(self, train: Split) -> Split | None:
        """More training samples, on the host; None where there are none."""

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
