"""The table of learning-rate schedules: pure functions of the step.

To add one, write a function ``(step, total, **options) -> factor`` and add a line to the table: the learning rate of
the step after ``step`` of ``total`` is the base rate times the factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnn_demo.locales import N_
from cnn_demo.settings.description import Real, Setting, Whole
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    from cnn_demo.settings.config import TrainConfig


def constant(step: int, total: int) -> float:
    """The same rate at every step."""
    return 1.0


def cosine(step: float, total: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, "SGDR", 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * step / total))


def steps_down(step: int, total: int, drops: int, drop_factor: float) -> float:
    """Equal stretches of the run; from each to the next the rate is multiplied by ``drop_factor``."""
    return drop_factor ** min(drops, step * (drops + 1) // total)


def cosine_after_warmup(step: int, total: int, warmup: float) -> float:
    """A straight line up to 1 over the first ``warmup`` of the run, then half a cosine down to 0.

    The first step has a rate above 0: a step of rate 0 would teach nothing (Goyal et al., "Accurate, large minibatch
    SGD", 2017, for the warm-up).
    """
    rising = round(warmup * total)
    return (step + 1) / rising if step < rising else cosine(step - rising, max(1, total - rising))


# Where one cycle begins and ends, as in PyTorch's OneCycleLR: a 25th of the highest rate, and a 10,000th of that.
_CYCLE_START = 1 / 25
_CYCLE_END = _CYCLE_START / 1e4


def one_cycle(step: int, total: int, peak_at: float) -> float:
    """From a 25th of the rate up to it at ``peak_at`` of the run, and down to almost 0, both along half a cosine.

    Smith and Topin, "Super-convergence", 2018, as PyTorch's ``OneCycleLR`` has it; the momentum is left alone.
    """
    peak = peak_at * total - 1
    if step <= peak:
        return 1 + (_CYCLE_START - 1) * (cosine(step, peak) if peak else 0.0)
    last = total - 1
    return _CYCLE_END + (1 - _CYCLE_END) * (cosine(step - peak, last - peak) if step < last else 0.0)


DROPS = Setting("drops", 2, Whole(1, 10), N_("Drops"), help=N_("How often the rate falls; the run is cut evenly."))
DROP_FACTOR = Setting(
    "drop_factor",
    0.1,
    Real(0, 1, open_low=True, step=0.1),
    N_("Drop factor"),
    help=N_("By what the rate is multiplied at each drop."),
)
WARMUP = Setting(
    "warmup",
    0.1,
    Real(0, 0.9, step=0.05),
    N_("Warm-up"),
    help=N_("The part of the run in which the rate rises; 0 starts at the full rate."),
)
PEAK_AT = Setting(
    "peak_at",
    0.3,
    Real(0, 1, step=0.05),
    N_("Peak"),
    help=N_("The part of the run after which the rate is highest."),
)

SCHEDULES = Registry("schedule")
SCHEDULES.add("constant", N_("Constant"), constant, help=N_("The same learning rate at every step."))
SCHEDULES.add(
    "step",
    N_("Steps down"),
    steps_down,
    help=N_("The learning rate is divided a few times during the run."),
    options=(DROPS, DROP_FACTOR),
)
SCHEDULES.add(
    "cosine", N_("Cosine"), cosine, help=N_("The learning rate falls to 0 along half a cosine over the whole run.")
)
SCHEDULES.add(
    "cosine-warmup",
    N_("Cosine with warm-up"),
    cosine_after_warmup,
    help=N_("The learning rate rises from almost 0, then falls to 0 along half a cosine."),
    options=(WARMUP,),
)
SCHEDULES.add(
    "one-cycle",
    N_("One cycle"),
    one_cycle,
    help=N_("The learning rate rises to the one you give, then falls to almost 0; it can be set higher than else."),
    options=(PEAK_AT,),
)


def learning_rate(config: TrainConfig, base_lr: float, step: int, total: int) -> float:
    """The rate of the step that follows ``step`` of ``total``, for a base rate that may have been changed meanwhile."""
    entry = SCHEDULES.get(config.schedule)
    factor: float = entry.load()(step, total, **entry.option_values(config))
    return base_lr * factor


def sample_rates(config: TrainConfig, points: int = 120) -> list[tuple[float, float]]:
    """The curve of a run that has not begun: ``points`` pairs of epochs done and the learning rate of the next step."""
    return [(config.epochs * i / points, learning_rate(config, config.lr, i, points)) for i in range(points)]
