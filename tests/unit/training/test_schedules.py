"""Schedules against the formulas of their sources and against PyTorch's own."""

from __future__ import annotations

import math

import pytest
import torch

from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.schedules import SCHEDULES, learning_rate


def test_cosine_is_pytorchs_and_bit_for_bit_the_formula() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.03)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60)
    config = TrainConfig(schedule="cosine", lr=0.03)
    for step in range(60):
        lr = learning_rate(config, 0.03, step, 60)
        assert lr == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        assert lr == 0.03 * 0.5 * (1 + math.cos(math.pi * step / 60))
        optimizer.step()
        scheduler.step()


def test_constant_is_the_base_rate_whatever_it_is_now() -> None:
    assert learning_rate(TrainConfig(lr=1.0), 0.007, 59, 60) == 0.007


def test_a_schedule_is_one_function_and_one_line() -> None:
    SCHEDULES.add("half", "Half", lambda step, total: 0.5 if 2 * step >= total else 1.0)
    try:
        config = TrainConfig(schedule="half")
        assert [learning_rate(config, 1.0, step, 4) for step in range(4)] == [1.0, 1.0, 0.5, 0.5]
    finally:
        SCHEDULES.remove("half")
