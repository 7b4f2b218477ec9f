"""The validation split: proportions, and the same samples on every machine."""

from __future__ import annotations

import pytest
import torch

from cnn_demo.datasets.splits import Split, stratified_split

COUNTS = (41, 7, 120, 1)


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


def test_nothing_held_out(split: Split) -> None:
    rest, held = stratified_split(split, 0, seed=0)
    assert len(held) == 0
    assert numbers(rest) == list(range(len(split)))


@pytest.mark.parametrize(("fraction", "seed"), [(-0.1, 0), (1, 0), (0.1, -1), (0.1, 2**64)])
def test_values_out_of_range_are_refused(split: Split, fraction: float, seed: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        stratified_split(split, fraction, seed)


def splitmix64(state: int) -> tuple[int, int]:
    """The published generator in Python's own integers: the next state, and its output."""
    mask = 2**64 - 1
    state = (state + 0x9E3779B97F4A7C15) & mask
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return state, z ^ (z >> 31)


def test_splitmix64_here_is_the_published_one() -> None:
    state, output = splitmix64(1234567)  # first outputs for this seed as published with the reference C code
    assert output == 6457827717110365317
    assert splitmix64(state)[1] == 3203168211198807973


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1, 2**64 - 1])
def test_the_choice_is_that_of_plain_integer_arithmetic(split: Split, seed: int) -> None:
    state = splitmix64(splitmix64(seed)[1])[1]
    keys = []
    for _ in range(len(split)):
        state, key = splitmix64(state)
        keys.append(key)
    _, held = stratified_split(split, 0.3, seed)
    for label in range(len(COUNTS)):
        members = [i for i in range(len(split)) if split.labels[i] == label]
        count = int((held.labels == label).sum())
        assert sorted(sorted(members, key=lambda i: keys[i])[:count]) == [
            i for i in numbers(held) if split.labels[i] == label
        ]
