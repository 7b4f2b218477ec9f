"""The table of learning-rate schedules: pure functions of the step.

To add one, write a function ``(step, total, **options) -> factor`` and add a line to the table: the learning rate of
the step after ``step`` of ``total`` is the base rate times the factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    from cnn_demo.settings.config import TrainConfig


def constant(step: int, total: int) -> float:
    """The same rate at every step."""
    return 1.0


def cosine(step: int, total: int) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, "SGDR", 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * step / total))


SCHEDULES = Registry("schedule")
SCHEDULES.add("constant", N_("Constant"), constant, help=N_("The same learning rate at every step."))
SCHEDULES.add(
    "cosine", N_("Cosine"), cosine, help=N_("The learning rate falls to 0 along half a cosine over the whole run.")
)


def learning_rate(config: TrainConfig, base_lr: float, step: int, total: int) -> float:
    """The rate of the step that follows ``step`` of ``total``, for a base rate that may have been changed meanwhile."""
    entry = SCHEDULES.get(config.schedule)
    factor: float = entry.load()(step, total, **entry.option_values(config))
    return base_lr * factor
