"""The tutorial's loop, for comparison: without torchvision its samples are the same."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from benchmarks import tutorial
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split


def test_samples_made_by_hand_are_those_of_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("mnist-mini")
    cut = lambda split: Split(split.images[:20], split.labels[:20])
    made: list[Any] = [tutorial._make_sets(cut(data.train), cut(data.test))]
    monkeypatch.setitem(sys.modules, "torchvision", None)
    made.append(tutorial._make_sets(cut(data.train), cut(data.test)))
    assert isinstance(made[1][0], tutorial.SetByHand)
    assert not isinstance(made[0][0], tutorial.SetByHand)
    for theirs, ours in zip(*made, strict=True):
        assert len(theirs) == len(ours) == 20
        for number in range(20):
            (one, label), (other, same) = theirs[number], ours[number]
            assert torch.equal(one, other)
            assert label == same
