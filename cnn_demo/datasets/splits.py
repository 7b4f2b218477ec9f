"""Images with their labels, and how a part of them is set aside: the same part on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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

    The samples are put in order of their label, within one label in their own order, and every fifth of that row (the
    5th, the 10th, ...) is a test sample. So one class in the test set differs by at most one from a fifth of it.
    """
    row = np.argsort(labels, kind="stable")
    test = np.zeros(len(labels), dtype=bool)
    test[row[4::5]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def _scramble(count: int, seed: int) -> np.ndarray:
    """One uint64 for each of 0..count-1 that looks random: SplitMix64 (Steele, Lea, Flood 2014), from the seed on.

    Neither torch nor NumPy promises the same permutation for the same seed in every version; this arithmetic does.
    """
    with np.errstate(over="ignore"):
        state = np.array([seed], dtype=np.uint64)
        for _ in range(2):  # nearby seeds must not give shifted copies of one sequence
            state = _mix(state + np.uint64(0x9E3779B97F4A7C15))
        return _mix(state + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def stratified_split(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Hold out a part of a split, with the same proportion of every class.

    ``round(fraction * N)`` samples are held out; each class gives its share rounded down or up (the largest remainders
    are rounded up, of equal ones the lower label first). Which ones follows from ``seed`` alone, with integer
    arithmetic, so it is the same on every machine and version. Both parts keep the order of ``split``.

    Args:
        split: the samples.
        fraction: part to hold out, 0 to below 1. With 0 the second part is empty.
        seed: 0 to 2**64 - 1.

    Returns:
        The rest, and what is held out.

    Raises:
        ValueError: a fraction or a seed outside its range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction = {fraction}: expected a number from 0 to below 1")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed = {seed}: expected a whole number from 0 to 2**64 - 1")
    labels = split.labels.cpu().numpy()
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * fraction
    held_counts = np.floor(shares).astype(np.int64)
    short = round(len(labels) * fraction) - int(held_counts.sum())
    held_counts[np.argsort(held_counts - shares, kind="stable")[:short]] += 1

    keys = _scramble(len(labels), seed)
    held = np.zeros(len(labels), dtype=bool)
    for label, count in zip(classes, held_counts, strict=True):
        members = np.flatnonzero(labels == label)
        held[members[np.argsort(keys[members], kind="stable")[:count]]] = True
    return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))
