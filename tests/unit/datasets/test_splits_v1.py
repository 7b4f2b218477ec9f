"""The keys of the first splits: the published SplitMix64, and a split as commit 953c0f6 made it."""

from __future__ import annotations

import pytest
import torch

from cnn_demo.datasets.splits import Split, stratified_split
from cnn_demo.datasets.splits_v1 import splitmix64_keys

HELD_OUT_BY_953C0F6 = [1, 3, 19, 20, 21, 22, 34, 36]


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
def test_the_keys_are_those_of_plain_integer_arithmetic(seed: int) -> None:
    state = splitmix64(splitmix64(seed)[1])[1]
    keys = []
    for _ in range(40):
        state, key = splitmix64(state)
        keys.append(key)
    assert splitmix64_keys(40, seed).tolist() == keys


def test_an_old_run_keeps_its_split() -> None:
    """What commit 953c0f6 held out of these labels with seed 3."""
    labels = torch.arange(40) % 4
    split = Split(torch.arange(40, dtype=torch.uint8).view(-1, 1, 1, 1), labels)
    assert stratified_split(split, 0.2, 3, version=1)[1].images.flatten().tolist() == HELD_OUT_BY_953C0F6
