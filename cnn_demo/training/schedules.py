"""The table of learning-rate schedules: pure functions of the step.

To add one, write a function ``(step, total, **options) -> factor`` and add a line to the table: the learning rate of
the step after ``step`` of ``total`` is the base rate times the factor.
"""

from __future__ import annotations

import math

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry


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
