"""Splits: proportions, and the same samples on every machine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnn_demo.datasets.splits import Split, every_fifth, stratified_split

COUNTS = (41, 7, 120, 1)
FIRST_KEY_OF_SEED_5 = 14849682912918955432


@pytest.fixture
def split() -> Split:
    """169 samples in mixed order; each image holds its own number."""
    labels = torch.tensor([label for label, count in enumerate(COUNTS) for _ in range(count)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    return Split(torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1), labels)


def numbers(split: Split) -> list[int]:
    return split.images.flatten().tolist()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.3, 0.5])
def test_each_class_gives_its_share(split: Split, fraction: float) -> None:
    rest, held = stratified_split(split, fraction, seed=5)
    assert len(held) == round(len(split) * fraction)
    for label, count in enumerate(COUNTS):
        assert abs(int((held.labels == label).sum()) - count * fraction) < 1
    assert sorted(numbers(rest) + numbers(held)) == list(range(len(split)))


def test_both_parts_keep_the_order_and_the_labels(split: Split) -> None:
    for part in stratified_split(split, 0.3, seed=5):
        assert numbers(part) == sorted(numbers(part))
        assert part.labels.tolist() == [int(split.labels[i]) for i in numbers(part)]


def test_the_seed_decides(split: Split) -> None:
    first, second, other = (numbers(stratified_split(split, 0.3, seed=s)[1]) for s in (5, 5, 6))
    assert first == second
    assert first != other


def test_the_choice_of_version_2_is_that_of_pcg64(split: Split) -> None:
    """The keys are the 64-bit outputs of PCG64, which NumPy keeps stable; the first of seed 5 is written down here."""
    keys = np.random.PCG64(5).random_raw(len(split)).tolist()
    assert keys[0] == FIRST_KEY_OF_SEED_5
    _, held = stratified_split(split, 0.3, 5)
    for label in range(len(COUNTS)):
        members = sorted((i for i in range(len(split)) if split.labels[i] == label), key=keys.__getitem__)
        chosen = [i for i in numbers(held) if split.labels[i] == label]
        assert chosen == sorted(members[: len(chosen)])


def test_the_versions_differ_and_others_are_refused(split: Split) -> None:
    first, second = (numbers(stratified_split(split, 0.3, 5, version=version)[1]) for version in (1, 2))
    assert first != second
    assert numbers(stratified_split(split, 0.3, 5)[1]) == second
    with pytest.raises(ValueError, match="version = 3: expected 1 or 2"):
        stratified_split(split, 0.3, 5, version=3)


def test_nothing_held_out(split: Split) -> None:
    rest, held = stratified_split(split, 0, seed=0)
    assert len(held) == 0
    assert numbers(rest) == list(range(len(split)))


@pytest.mark.parametrize(("fraction", "seed"), [(-0.1, 0), (1, 0), (0.1, -1), (0.1, 2**64)])
def test_values_out_of_range_are_refused(split: Split, fraction: float, seed: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        stratified_split(split, fraction, seed)


def test_every_fifth_of_each_class_is_for_the_test() -> None:
    labels = np.array([1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 2])
    # By label: 0 at 1, 4, 5, 8, 9; then 1 at 0, 2, 3, 6, 7, 10; then 2 at 11. The 5th and the 10th of that row:
    train, test = every_fifth(labels)
    assert test.tolist() == [7, 9]
    assert train.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 10, 11]
