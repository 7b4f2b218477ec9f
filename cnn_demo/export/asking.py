"""Asking an exported model: logits of many images, and how many are right."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.export.runtime import Session

_BATCH = 256


def compute_all_logits(session: Session, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``(N, classes)`` of any number of normalized images ``(N, C, H, W)``, batch by batch."""
    parts = [session.compute_logits(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
    return np.concatenate(parts)


def count_correct(session: Session, test: Split, spec: DatasetSpec) -> int:
    """How many images of a split are answered rightly."""
    correct = 0
    for images, labels in zip(test.images.split(_BATCH), test.labels.split(_BATCH), strict=True):
        logits = compute_all_logits(session, normalize(images, spec).contiguous().numpy())
        correct += int((logits.argmax(1) == labels.numpy()).sum())
    return correct


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, "Probable inference, the law of succession", 1927), both ends 0 to 1."""
    z = 1.959963984540054
    share = correct / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half
