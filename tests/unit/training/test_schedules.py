"""Schedules against the formulas of their sources and against PyTorch's own."""

from __future__ import annotations

import math

import pytest
import torch

from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.schedules import SCHEDULES, learning_rate, sample_rates


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


@pytest.mark.parametrize(("total", "peak_at"), [(60, 0.3), (7, 0.5), (469, 0.123), (10, 0.2), (60, 1.0)])
def test_one_cycle_is_pytorchs(total: int, peak_at: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.03)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.03, total_steps=total, pct_start=peak_at, cycle_momentum=False
    )
    config = TrainConfig(schedule="one-cycle", lr=0.03, options={"peak_at": peak_at})
    for step in range(total):
        assert learning_rate(config, 0.03, step, total) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-6), step
        optimizer.step()
        if step + 1 < total:
            scheduler.step()
    assert learning_rate(config, 0.03, total, total) == pytest.approx(0.03 / 25e4)  # asked for at the last epoch's end


def test_warm_up_is_a_line_then_pytorchs_cosine() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.03)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    config = TrainConfig(schedule="cosine-warmup", options={"warmup": 0.2})
    rates = [learning_rate(config, 0.03, step, 50) for step in range(50)]
    assert rates[:10] == pytest.approx([0.003 * n for n in range(1, 11)])
    for rate in rates[10:]:
        assert rate == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()
    plain = TrainConfig(schedule="cosine-warmup", options={"warmup": 0.0})
    assert learning_rate(plain, 0.03, 17, 50) == learning_rate(TrainConfig(schedule="cosine"), 0.03, 17, 50)


def test_steps_down_is_pytorchs_step() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.03)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.5)
    config = TrainConfig(schedule="step", options={"drops": 2, "drop_factor": 0.5})
    for step in range(60):
        assert learning_rate(config, 0.03, step, 60) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()
    assert learning_rate(config, 0.03, 60, 60) == pytest.approx(0.03 * 0.25)


@pytest.mark.parametrize("schedule", SCHEDULES.names)
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_rates(schedule: str, total: int) -> None:
    config = TrainConfig(schedule=schedule)
    rates = [learning_rate(config, 1.0, step, total) for step in range(total + 1)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert max(rates) > 0


def test_constant_is_the_base_rate_whatever_it_is_now() -> None:
    assert learning_rate(TrainConfig(lr=1.0), 0.007, 59, 60) == 0.007


def test_the_curve_before_the_run_is_that_of_its_steps() -> None:
    config = TrainConfig(schedule="cosine-warmup", lr=0.5, epochs=3)
    curve = sample_rates(config, points=60)
    assert [epoch for epoch, _ in curve] == pytest.approx([i / 20 for i in range(60)])
    assert [rate for _, rate in curve] == [learning_rate(config, 0.5, i, 60) for i in range(60)]


def test_a_schedule_is_one_function_and_one_line() -> None:
    SCHEDULES.add("half", "Half", lambda step, total: 0.5 if 2 * step >= total else 1.0)
    try:
        config = TrainConfig(schedule="half")
        assert [learning_rate(config, 1.0, step, 4) for step in range(4)] == [1.0, 1.0, 0.5, 0.5]
    finally:
        SCHEDULES.remove("half")
