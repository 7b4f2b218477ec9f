"""What a run trains on: the data set, what the augmentation adds, extra samples; and what is held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split, stratified_split
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.samples import EXTRA_SHARE, prepare_samples, repeat_samples


@pytest.fixture(scope="module")
def small() -> Dataset:
    full = load_dataset("mnist-mini")
    return Dataset(full.spec, full.train.take(np.arange(200)), full.test.take(np.arange(10)))


class Doubling:
    """Adds the training samples once more."""

    def extra_samples(self, train: Split, progress: object) -> Split:
        return train


def test_repetition_is_in_turn_and_never_drops_a_sample() -> None:
    few = Split(torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1), torch.tensor([0, 1, 2]))
    assert repeat_samples(few, 28).labels.tolist() == [0, 1, 2, 0, 1, 2, 0]  # 7 of 35 are a fifth
    assert repeat_samples(few, 1).labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("version", "rule"), [(1, 1), (2, 2), (3, 2)])
def test_a_config_keeps_the_split_of_its_version(small: Dataset, version: int, rule: int) -> None:
    train, held_out = prepare_samples(TrainConfig(val_fraction=0.2, seed=7, version=version), small, None, None)
    expected = stratified_split(small.train, 0.2, 7, rule)
    assert torch.equal(train.images, expected[0].images)
    assert held_out is not None
    assert torch.equal(held_out.images, expected[1].images)


def test_what_is_added_is_never_held_out(small: Dataset) -> None:
    config = TrainConfig(val_fraction=0.2)
    train, held_out = prepare_samples(config, small, Doubling(), small.test)  # type: ignore[arg-type]
    assert held_out is not None
    assert len(held_out) == 40
    assert len(train) * (1 - EXTRA_SHARE) == 2 * 160
    assert torch.equal(train.images[:160], train.images[160:320])
    assert torch.equal(train.images[320:330], small.test.images)


def test_nothing_to_train_on_is_said(small: Dataset) -> None:
    empty = Dataset(small.spec, small.train.take(np.arange(0)), small.test)
    with pytest.raises(ValueError, match="'mnist-mini' has no training samples"):
        prepare_samples(TrainConfig(), empty, None, None)
