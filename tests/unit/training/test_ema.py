"""The running mean of the weights: against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnn_demo.training.ema import ModelEma


def test_the_first_steps_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    mean = ModelEma(model, 0.5)
    moved = []
    for step, weight in enumerate([11.0, 11.0, 11.0], start=1):
        model.weight.data.fill_(weight)
        mean.update(step)
        moved.append(float(mean.model.get_parameter("weight")))
    # It keeps (1 + t) / (10 + t), but never more than half: 2/11, 3/12, 4/13.
    by_hand = [11 * 9 / 11, 2.25 + 11 * 0.75, 10.5 * 4 / 13 + 11 * 9 / 13]
    assert moved == pytest.approx(by_hand)
    for step in range(100, 102):
        model.weight.data.fill_(0.0)
        before = float(mean.model.get_parameter("weight"))
        mean.update(step)
        assert float(mean.model.get_parameter("weight")) == pytest.approx(before / 2)


def test_statistics_are_averaged_and_counts_copied() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    mean = ModelEma(model, 0.9)
    for step in range(1, 4):
        model(torch.randn(4, 1, 5, 5, generator=torch.Generator().manual_seed(step)) + 3)
        mean.update(step)
    live, kept = dict(model.named_buffers()), dict(mean.model.named_buffers())
    assert int(kept["1.num_batches_tracked"]) == int(live["1.num_batches_tracked"]) == 3
    assert not torch.equal(kept["1.running_mean"], live["1.running_mean"])
    assert kept["1.running_mean"].abs().sum() > 0


def test_it_is_a_copy_without_gradients_in_the_same_memory_format() -> None:
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    mean = ModelEma(model, 0.9)
    weight = mean.model.get_parameter("weight")
    assert weight.data_ptr() != model.weight.data_ptr()
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not any(p.requires_grad for p in mean.model.parameters())
    assert all(p.requires_grad for p in model.parameters())
