"""Asking an exported model: logits of many images, whether they are PyTorch's, and how many answers are right."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.export.formats import ExportFailed
from cnn_demo.export.reference_answers import ReferenceAnswers
from cnn_demo.export.runtime import Session
from cnn_demo.locales import N_

TOLERANCE = 1e-4  # between logits of PyTorch and of an exported model in float32

_BATCH = 256
_DISAGREES = N_(
    "The exported model differs from PyTorch by up to {difference} in a logit, and in {others} of {n} answers; at most "
    "{allowed} and none are allowed."
)


def compute_all_logits(session: Session, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``(N, classes)`` of any number of normalized images ``(N, C, H, W)``, batch by batch."""
    parts = [session.compute_logits(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
    return np.concatenate(parts)


def check_answers(session: Session, reference: ReferenceAnswers) -> float:
    """The largest difference of a logit from PyTorch.

    Raises:
        ExportFailed: it is above the tolerance, or an answer is another one: such a model is not handed out.
    """
    others, difference = reference.compare(compute_all_logits(session, reference.inputs))
    if others or difference > TOLERANCE:
        raise ExportFailed(
            _DISAGREES,
            difference=f"{difference:.2g}",
            others=str(others),
            n=str(len(reference.logits)),
            allowed=f"{TOLERANCE:g}",
        )
    return difference


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
