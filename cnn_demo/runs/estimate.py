"""What a run will cost, before it is launched and before torch is loaded."""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.models.registry import MODELS
from cnn_demo.runs.records import Run, RunNotFound, RunState
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.augmentations import AUGMENTATIONS

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

# Multiply-adds of the forward pass that one CPU core trains through in a second: the ``cnn`` at batch 128 reached
# 3,200 samples/s on two cores of an AMD EPYC with torch 2.14.1. Other models and processors differ by a factor of a
# few, so whoever shows it must call it a guess.
_MULTIPLY_ADDS_A_CORE = 9e9
# Until a run's first step, and how much longer than its training steps alone a run lasts: it also measures the test
# set after each epoch and saves checkpoints.
_START_SECONDS, _WITH_EVALUATION = 1.0, 1.25
DRAWINGS_SHARE = 0.2  # of an epoch, where a visitor's drawings are learnt from: training/samples.py, which needs torch
_SECONDS_TO_DRAW = 6.5e-4  # one sample with a pen, on one core of the same processor
# Settings that change the numbers of a run, or its length, but not how long one step takes. The device is kept apart.
_NO_MATTER = frozenset(
    [
        "device",
        "epochs",
        "lr",
        "schedule",
        "weight_decay",
        "label_smoothing",
        "grad_clip",
        "seed",
        "val_fraction",
        "patience",
        "init",
        "collection",
        "comment",
        "notes",
        "version",
    ]
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a run.

    Attributes:
        parameters: trainable values; 0 when unknown.
        samples_per_second: training speed; None when nobody can tell.
        seconds: training time of all epochs, and the time in which more samples are drawn before; None when nobody can
            tell.
        basis: ``measured`` by a like run on this machine, or ``rough``.
    """

    parameters: int
    samples_per_second: float | None
    seconds: float | None
    basis: Literal["measured", "rough"]


@cache
def _facts() -> dict[str, dict[str, dict[str, int]]]:
    path = Path(__file__).resolve().parents[1] / "models" / "facts.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def estimate(config: TrainConfig, store: Store) -> Estimate:
    """Parameters and time of a run.

    Args:
        config: what would be trained.
        store: where the speeds of earlier runs are remembered.

    Raises:
        KeyError: no such data set.
    """
    spec = get_spec(config.dataset)
    facts = _find_figures(config, spec)
    speed = store.find_speed(speed_key(config), "" if config.device == "auto" else config.device)
    basis: Literal["measured", "rough"] = "measured" if speed else "rough"
    if speed is None and facts and config.device in ("auto", "cpu"):
        speed = (psutil.cpu_count(logical=False) or 1) * _MULTIPLY_ADDS_A_CORE / facts["multiply_adds"]
    samples = spec.train_size * (1 - config.val_fraction)
    added = samples * AUGMENTATIONS.get(config.augment).facts.get("added_share", 0.0) if spec.digits else 0.0
    mixed = (samples + added) / (1 - DRAWINGS_SHARE) if config.collection else samples + added
    seconds = mixed * config.epochs / speed + added * _SECONDS_TO_DRAW if speed else None
    return Estimate(facts.get("parameters", 0), speed, seconds, basis)


def estimate_remaining(run: Run) -> float | None:
    """Seconds of training to the end at the average pace so far, or None before there is one."""
    if not run.step or not run.train_seconds or not run.total_steps:
        return None
    return (run.total_steps - run.step) * run.train_seconds / run.step


def estimate_wait(run: Run | None, store: Store, devices: int = 1) -> float | None:
    """Seconds until a queued run starts: those that hold a device and those before it in the queue have to end first.

    Args:
        run: a run that waits; None for one that would be queued now. One that does not wait need not wait: 0.
        store: the run store.
        devices: how many there are for it to wait for.

    Returns:
        None when nobody can tell: a run that holds a device is paused, or its speed is not known.
    """
    holding, waiting = store.list_ahead(run.id if run else None)
    times = [_estimate_end(other, store) for other in holding if _is_alive(store, other)]
    # A class that waits has queued the same thing thirty times: each kind is looked up once.
    kinds: dict[str, float | None] = {}
    for other in waiting:
        kind = json.dumps(other.config.to_dict(), sort_keys=True)
        if kind not in kinds:
            kinds[kind] = _estimate_end(other, store)
        times.append(kinds[kind])
    if any(time is None for time in times):
        return None
    free = [0.0] * max(1, devices)  # when each device is free; each run takes the one that is free first
    for time in times:
        heapq.heapreplace(free, free[0] + (time or 0.0))
    return free[0]


def _is_alive(store: Store, run: Run) -> bool:
    try:
        return store.is_active(run.id)
    except RunNotFound:  # deleted a moment ago
        return False


def _estimate_end(run: Run, store: Store) -> float | None:
    """Seconds for which a run will still hold its device."""
    if run.state is RunState.PAUSED:
        return None
    left = estimate_remaining(run)
    if left is None:
        try:
            left = estimate(run.config, store).seconds
        except KeyError:  # a data set that this version does not know
            return None
    starting = 0.0 if run.step else _START_SECONDS
    return None if left is None else starting + left * _WITH_EVALUATION


def _find_figures(config: TrainConfig, spec: DatasetSpec) -> dict[str, int]:
    """Parameters and multiply-adds of the model with its options; empty where nobody knows.

    Options at their defaults, and models that count themselves, need no torch. For others it is loaded here, once.
    """
    entry = MODELS.get(config.model)
    options = entry.option_values(config)
    if figures := entry.load_fact("figures"):
        found: dict[str, int] = figures(spec.channels, spec.size, len(spec.classes), **options)
        return found
    facts = _facts().get(config.model, {}).get(f"{spec.channels}x{spec.size}x{len(spec.classes)}", {})
    if facts and all(options[option.name] == option.default for option in entry.options):
        return facts
    return _measure_cost(config.model, spec.channels, spec.size, len(spec.classes), tuple(options.items()))


@lru_cache(maxsize=256)
def _measure_cost(name: str, channels: int, size: int, classes: int, options: tuple[Any, ...]) -> dict[str, int]:
    from cnn_demo.models.cost import measure_cost  # imports torch

    try:
        return measure_cost(name, channels, size, classes, dict(options))
    except (RuntimeError, ValueError):  # a model of one's own that cannot do without real numbers, or cannot be built
        return {}


def speed_key(config: TrainConfig) -> str:
    """Runs with this key in common train at about the same speed on one device: all settings that a step depends on."""
    values = config.to_dict()
    return json.dumps({name: value for name, value in values.items() if name not in _NO_MATTER}, sort_keys=True)
