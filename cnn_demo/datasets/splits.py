"""Images with their labels, and how a part of them is held out: the same part on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnn_demo.datasets.splits_v1 import splitmix64_keys

NO_CLASS = -1  # the label of a training image that belongs to none of the classes


@dataclass(frozen=True)
class Split:
    """Images and labels in host memory.

    Attributes:
        images: ``(N, C, H, W)`` uint8.
        labels: ``(N,)`` int64; :data:`NO_CLASS` for images of nothing that there is a class for (in training only).
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | Tensor) -> Split:
        """The samples of an int64 index, in its order, copied."""
        chosen = torch.as_tensor(index)
        return Split(self.images[chosen], self.labels[chosen])

    def join(self, other: Split) -> Split:
        """These samples and then those of another split of the same shape."""
        return Split(torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels]))


def every_fifth(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fixed split of MNIST-mini: indices of the training samples and of the test samples, both ascending.

    The samples are sorted by label, within one label they keep their order, and every fifth of that row (the 5th, the
    10th, ...) is a test sample. So a class has a fifth of its samples in the test set, give or take one.
    """
    row = np.argsort(labels, kind="stable")
    test = np.zeros(len(labels), dtype=bool)
    test[row[4::5]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


VERSION = 2
"""Which samples a seed holds out: 2 now; 1 in runs made before there were versions."""


def _random_keys(count: int, seed: int, version: int) -> np.ndarray:
    """One random uint64 for each sample, ``(count,)``; the samples with the smallest keys are held out."""
    if version == 1:
        return splitmix64_keys(count, seed)
    # NumPy promises the same raw numbers of a bit generator in every version, but not the same Generator.permutation.
    return np.random.PCG64(seed).random_raw(count)


def stratified_split(split: Split, fraction: float, seed: int, version: int = VERSION) -> tuple[Split, Split]:
    """Hold out a part of a split, with the same proportion of every class.

    ``round(fraction * N)`` samples are held out; each class gives its share rounded down or up (the largest remainders
    are rounded up, of equal ones the lower label first). Which samples these are follows from ``seed`` and ``version``
    alone: the same on every machine, with every version of NumPy. Both parts keep the order of ``split``.

    Args:
        split: the samples.
        fraction: part to hold out, 0 to below 1. With 0 the second part is empty.
        seed: 0 to 2**64 - 1.
        version: 2, or 1 for the choice that older runs made.

    Returns:
        The rest, and what is held out.

    Raises:
        ValueError: a fraction, a seed or a version outside its range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction = {fraction}: expected a number from 0 to below 1")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed = {seed}: expected a whole number from 0 to 2**64 - 1")
    if version not in (1, VERSION):
        raise ValueError(f"version = {version}: expected 1 or {VERSION}")
    labels = split.labels.cpu().numpy()
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * fraction
    held_counts = np.floor(shares).astype(np.int64)
    short = round(len(labels) * fraction) - int(held_counts.sum())
    held_counts[np.argsort(held_counts - shares, kind="stable")[:short]] += 1

    keys = _random_keys(len(labels), seed, version)
    held = np.zeros(len(labels), dtype=bool)
    for label, count in zip(classes, held_counts, strict=True):
        members = np.flatnonzero(labels == label)
        held[members[np.argsort(keys[members], kind="stable")[:count]]] = True
    return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))
