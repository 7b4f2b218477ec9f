"""The targets of the preview in words."""

from __future__ import annotations

import pytest

from cnn_demo.ui.train.preview import name_target

CLASSES = ["cat", "dog", "frog"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ([0.0, 1.0, 0.0], ["dog"]),
        ([0.25, 0.0, 0.75], ["frog: 75%", "cat: 25%"]),
        ([0.998, 0.002, 0.0], ["cat"]),
        ([0.2, 0.3, 0.5], ["frog: 50%", "dog: 30%", "cat: 20%"]),
    ],
)
def test_the_largest_share_comes_first_and_a_whole_one_needs_no_figure(target: list[float], words: list[str]) -> None:
    assert name_target(target, CLASSES) == words
