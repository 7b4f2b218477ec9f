"""Some training images as an augmentation changes them, without a training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.augmentations import create_augmentation

_EMPTY = 0.2  # of the deviation of its pixels a picture must keep, else there is hardly anything left to see


@dataclass(frozen=True, slots=True)
class Preview:
    """A changed batch.

    Attributes:
        images: ``(N, C, H, W)`` float32 in [0, 1], before normalization.
        targets: ``(N, classes)``, each row sums to 1.
        labels: ``(N,)`` int64, the classes before the change.
        emptied: how many of the N pictures have hardly anything left in them.
    """

    images: Tensor
    targets: Tensor
    labels: Tensor
    emptied: int


def make_preview(config: TrainConfig, spec: DatasetSpec, samples: Split, number: int) -> Preview:
    """Change a batch in the way a training step does.

    Args:
        config: for the augmentation and its strengths.
        spec: the data set.
        samples: the batch; samples of no class are not among them.
        number: another number gives other changes, and another order.
    """
    generator = torch.Generator().manual_seed(number)
    batch = samples.take(torch.randperm(len(samples), generator=generator))
    before = batch.images.float() / 255
    targets = functional.one_hot(batch.labels, len(spec.classes)).float()
    augmentation = create_augmentation(config, spec)
    images, targets = (before, targets) if augmentation is None else augmentation(before, targets, generator)
    images = images.clamp(0, 1)
    kept = images.std(dim=(1, 2, 3)) / before.std(dim=(1, 2, 3)).clamp_min(1e-6)
    return Preview(images, targets, batch.labels, int((kept < _EMPTY).sum()))
