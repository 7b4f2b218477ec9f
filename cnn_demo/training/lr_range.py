"""The learning-rate range test: a few steps with a rate that rises, to see where the loss falls and where it explodes.

L. N. Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3. Nothing of it is kept: the model
is thrown away, and the run that follows begins afresh.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.locales import N_
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.trainer import Trainer

_SMOOTHING = 0.9  # weight of the past in the average of the losses
_EXPLODED = 4.0  # the test ends where the average is so many times its lowest value
_FELL = 0.95  # the average must get below this part of the first losses
_LEAST_POINTS = 8
_STEPS_A_LOOK = 5  # steps between two looks at the losses: each look waits for the device
_BELOW_LOWEST = 10  # the rate of the lowest loss is already unstable: a tenth of it is usual


@dataclass(frozen=True, slots=True)
class RangePoint:
    """One step of the test: its rate, its loss before the update, and the average of the losses so far."""

    lr: float
    loss: float
    average: float


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What the test found.

    Attributes:
        points: the steps until the loss exploded, or all.
        lowest_at: the rate where the average was lowest.
        suggestion: a tenth of it.
        exploded: whether the loss grew beyond bounds before the highest rate was reached.
    """

    points: tuple[RangePoint, ...]
    lowest_at: float
    suggestion: float
    exploded: bool


class RangeFailed(RuntimeError):
    """The test says nothing about a good rate.

    Attributes:
        kind: ``exploded``: the loss grew beyond bounds at once; ``flat``: it never fell.
        points: how many steps had a loss.
    """

    def __init__(self, kind: str, points: int, low: float, high: float) -> None:
        why = {
            "exploded": f"the loss grew beyond all bounds within {points} steps: start with a lower rate",
            "flat": "the loss did not fall at any rate: try others, more steps, or other settings",
        }[kind]
        super().__init__(f"learning rates from {low:g} to {high:g}: {why}")
        self.kind, self.points = kind, points


@dataclass(frozen=True, slots=True)
class RatePlan:
    """Which rates are tried: ``steps`` (10 to 2000) of them, from ``low`` to ``high``, each by the same factor higher.

    Raises:
        ConfigError: a value that cannot be used.
    """

    low: float = 1e-6
    high: float = 1.0
    steps: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.low <= 10:
            raise ConfigError("low", self.low, N_("a number above {low} and at most {high}"), low=0, high=10)
        if not self.low < self.high <= 10:
            raise ConfigError("high", self.high, N_("a number above {low} and at most {high}"), low=self.low, high=10)
        if not 10 <= self.steps <= 2000:
            raise ConfigError("steps", self.steps, N_("a whole number from {low} to {high}"), low=10, high=2000)

    def rate(self, number: int) -> float:
        """The rate of a step, counted from 0."""
        return float(self.low * (self.high / self.low) ** (number / (self.steps - 1)))


def sweep_rates(config: TrainConfig, plan: RatePlan, dataset: Dataset | None = None) -> Iterator[RangePoint]:
    """Train with rising rates; ends early where the loss explodes.

    Args:
        config: the run that the rate is for; its own rate, schedule and epochs do not matter.
        plan: the rates.
        dataset: the data, when already loaded; else ``load_dataset(config.dataset)``.

    Raises:
        ConfigError: this machine cannot do what the config asks for.
    """
    data = dataset if dataset is not None else load_dataset(config.dataset)
    trainer = Trainer(config.replace(compile="off", ema=0.0), data)
    batches = _shuffled_batches(trainer)
    sum_, weight, lowest = 0.0, 0.0, math.inf
    for first in range(0, plan.steps, _STEPS_A_LOOK):
        rates = [plan.rate(number) for number in range(first, min(first + _STEPS_A_LOOK, plan.steps))]
        losses = [
            trainer.step(first + i + 1, next(batches), lr, config.seed * plan.steps + first + i)[0]
            for i, lr in enumerate(rates)
        ]
        for lr, loss in zip(rates, torch.stack(losses).float().tolist(), strict=True):
            sum_, weight = _SMOOTHING * sum_ + (1 - _SMOOTHING) * loss, _SMOOTHING * weight + 1 - _SMOOTHING
            average = sum_ / weight
            if not average <= _EXPLODED * lowest:  # NaN too
                return
            lowest = min(lowest, average)
            yield RangePoint(lr, loss, average)


def find_rate(points: Sequence[RangePoint], plan: RatePlan) -> RangeResult:
    """Read the answer off the points of :func:`sweep_rates`.

    Raises:
        RangeFailed: the loss exploded at once, or never fell.
    """
    if len(points) < _LEAST_POINTS:
        raise RangeFailed("exploded", len(points), plan.low, plan.high)
    first = sum(point.loss for point in points[:_STEPS_A_LOOK]) / _STEPS_A_LOOK
    lowest = min(points, key=lambda point: point.average)
    if lowest.average > _FELL * first:
        raise RangeFailed("flat", len(points), plan.low, plan.high)
    suggestion = max(plan.low, float(f"{lowest.lr / _BELOW_LOWEST:.2g}"))
    return RangeResult(tuple(points), lowest.lr, suggestion, len(points) < plan.steps)


def _shuffled_batches(trainer: Trainer) -> Iterator[torch.Tensor]:
    """Batches of positions ``(B,)``, pass after pass."""
    generator = torch.Generator().manual_seed(trainer.config.seed)
    while True:
        order = torch.randperm(len(trainer.train), generator=generator).to(trainer.index_device)
        yield from order.split(trainer.config.batch_size)
