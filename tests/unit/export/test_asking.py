"""Asking a session in batches, counting right answers, and Wilson's interval."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest

from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.export.asking import compute_all_logits, count_correct, wilson_interval
from cnn_demo.export.runtime import Session


class BrightestColumn(Session):
    """Names the column of an image with the most light."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def compute_logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self.sizes.append(len(images))
        return images[:, 0, :, :10].sum(axis=1)


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (9951, 10_000), (7, 7), (1, 3)])
def test_wilsons_interval_is_scipys(correct: int, n: int) -> None:
    wanted = binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_right_answers_are_counted_over_all_batches() -> None:
    images = torch.zeros(300, 1, 28, 28, dtype=torch.uint8)
    labels = torch.arange(300) % 10
    images[torch.arange(300), 0, :, labels] = 255
    labels = labels.clone()
    labels[:7] = (labels[:7] + 1) % 10
    session = BrightestColumn()
    assert count_correct(session, Split(images, labels), get_spec("mnist")) == 293
    assert session.sizes == [256, 44]
    assert compute_all_logits(session, images.float().numpy()).shape == (300, 10)
