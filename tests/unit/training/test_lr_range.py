"""The range test: its rates, where it ends, and what it reads off the losses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.lr_range import RangeFailed, RangePoint, RatePlan, find_rate, sweep_rates


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    full = load_dataset("mnist-mini")
    return Dataset(full.spec, full.train.take(torch.arange(200)), full.test.take(torch.arange(20)))


def linear(channels: int, size: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, classes))


@pytest.fixture
def config() -> Iterator[TrainConfig]:
    MODELS.add("linear", "Linear", linear)
    yield TrainConfig(model="linear", optimizer="sgd", options={"momentum": 0.0}, batch_size=100, device="cpu", seed=4)
    MODELS.remove("linear")


def test_rates_rise_by_the_same_factor() -> None:
    plan = RatePlan(1e-4, 1e-2, 11)
    rates = [plan.rate(n) for n in range(11)]
    assert (rates[0], rates[5], rates[10]) == pytest.approx((1e-4, 1e-3, 1e-2))


@pytest.mark.parametrize(
    ("values", "field"),
    [((0.0, 1.0, 50), "low"), ((0.1, 0.1, 50), "high"), ((0.1, 11.0, 50), "high"), ((0.1, 1, 9), "steps")],
)
def test_a_plan_that_cannot_be_is_refused(values: tuple[float, float, int], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RatePlan(*values)
    assert caught.value.field == field


def test_the_losses_are_those_of_plain_descent_with_these_rates(tiny: Dataset, config: TrainConfig) -> None:
    plan = RatePlan(1e-3, 1e-1, 10)
    points = list(sweep_rates(config, plan, tiny))
    torch.manual_seed(4)
    model = linear(1, 28, 10)
    images = (tiny.train.images.float() / 255 - 0.1307) / 0.3081
    generator = torch.Generator().manual_seed(4)
    order = [index for _ in range(5) for index in torch.randperm(200, generator=generator).split(100)]
    average = weight = 0.0
    for point, index, n in zip(points, order, range(10), strict=True):
        loss = F.cross_entropy(model(images[index]), tiny.train.labels[index])
        average, weight = 0.9 * average + 0.1 * loss.item(), 0.9 * weight + 0.1
        assert point.lr == pytest.approx(plan.rate(n))
        assert point.loss == pytest.approx(loss.item(), rel=1e-4)
        assert point.average == pytest.approx(average / weight, rel=1e-4)
        for parameter, gradient in zip(
            model.parameters(), torch.autograd.grad(loss, tuple(model.parameters())), strict=True
        ):
            parameter.data -= point.lr * gradient


def test_it_ends_where_the_loss_explodes(tiny: Dataset, config: TrainConfig) -> None:
    plan = RatePlan(1e-3, 10.0, 60)
    points = list(sweep_rates(config, plan, tiny))
    assert 10 < len(points) < 60
    result = find_rate(points, plan)
    assert result.exploded
    assert result.points == tuple(points)
    assert result.lowest_at == min(points, key=lambda p: p.average).lr
    assert result.suggestion == pytest.approx(result.lowest_at / 10, rel=0.05)


def test_exploding_at_once_is_said(tiny: Dataset, config: TrainConfig) -> None:
    plan = RatePlan(9.0, 10.0, 20)
    with pytest.raises(RangeFailed, match=r"within [0-7] steps: start with a lower rate") as caught:
        find_rate(list(sweep_rates(config, plan, tiny)), plan)
    assert caught.value.kind == "exploded"


def test_a_loss_that_never_falls_is_said() -> None:
    plan = RatePlan(1e-6, 1e-5, 20)
    flat = [RangePoint(plan.rate(n), 2.3 + 0.01 * math.sin(n), 2.3) for n in range(20)]
    with pytest.raises(RangeFailed, match="did not fall") as caught:
        find_rate(flat, plan)
    assert caught.value.kind == "flat"
