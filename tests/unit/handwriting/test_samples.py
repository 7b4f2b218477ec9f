"""Extra training samples: how many of which kind, and for whom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import NO_CLASS, Split
from cnn_demo.handwriting import samples
from cnn_demo.handwriting.samples import extra_samples
from cnn_demo.training.augmentations import AUGMENTATIONS

MINI = get_spec("mnist-mini")


@pytest.fixture(scope="module")
def train() -> Split:
    return load_dataset("mnist-mini").train.take(np.arange(40))


def test_only_digits_get_more(train: Split) -> None:
    assert extra_samples(get_spec("fashion-mnist"), train, 0) is None


def test_forty_digits_get_twenty_eight_and_six_that_are_none(train: Split) -> None:
    extra = extra_samples(MINI, train, 0)
    assert extra is not None
    # Half as many synthetic, every fifth written again, for forty six by real pens, and six without a class.
    assert len(extra) == 20 + 8 + 6 + 6
    assert NO_CLASS == -1
    assert torch.bincount(extra.labels + 1)[0] == 6
    assert extra.images.shape == (40, 1, 28, 28)
    assert extra.images.dtype == torch.uint8
    again = extra_samples(MINI, train, 0)
    assert again is not None
    assert torch.equal(extra.images, again.images)


def test_styles_kept_for_validation_are_learned_only_in_a_last_training(
    train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = samples.synthesize

    def note(n: int, seed: int, *, held_out: bool = False, each: Callable[[], None]) -> Split:
        asked.append((n, held_out))
        return real(n, seed, held_out=held_out, each=each)

    monkeypatch.setattr(samples, "synthesize", note)
    extra_samples(MINI, train, 0)
    extra_samples(MINI, train, 0, all_styles=True)
    assert asked == [(20, False), (0, True), (15, False), (5, True)]


def test_it_tells_how_far_it_is_and_can_be_given_up(train: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_TOLD_EVERY", 1)
    told: list[float] = []
    extra_samples(MINI, train, 0, progress=told.append)
    assert told == pytest.approx([drawn / 40 for drawn in range(1, 41)])  # every sample, each once
    with pytest.raises(KeyboardInterrupt):
        extra_samples(MINI, train, 0, progress=give_up)


def give_up(part: float) -> None:
    if part > 0.5:
        raise KeyboardInterrupt


def test_the_table_of_augmentations_knows_how_many_there_are() -> None:
    share = samples.SYNTHETIC + samples.REDRAWN + samples.RECORDED + samples.OUTLIERS
    assert AUGMENTATIONS.get("handwriting").facts["added_share"] == pytest.approx(share)
