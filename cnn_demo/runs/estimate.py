"""What a run will cost, before it is launched and before torch is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

from cnn_demo.datasets.specs import get_spec
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig

# Multiply-adds of the forward pass that one CPU core trains through in a second: the ``cnn`` at batch 128 reached
# 3,200 samples/s on two cores of an AMD EPYC with torch 2.14.1. Other models and processors differ by a factor of a
# few, so whoever shows it must call it a guess.
_MULTIPLY_ADDS_A_CORE = 9e9


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a run.

    Attributes:
        parameters: trainable values; 0 when unknown.
        samples_per_second: training speed; None when nobody can tell.
        seconds: training time of all epochs; None when nobody can tell.
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


def estimate(config: TrainConfig, store: Store | None = None) -> Estimate:
    """Parameters and time of a run.

    Args:
        config: what would be trained.
        store: where the speeds of earlier runs are remembered; by default the store of this machine.

    Raises:
        KeyError: no such data set.
    """
    spec = get_spec(config.dataset)
    facts = _facts().get(config.model, {}).get(f"{spec.channels}x{spec.size}x{len(spec.classes)}", {})
    speed = _remembered(config, store or Store())
    basis: Literal["measured", "rough"] = "measured" if speed else "rough"
    if speed is None and facts and config.device in ("auto", "cpu"):
        speed = (psutil.cpu_count(logical=False) or 1) * _MULTIPLY_ADDS_A_CORE / facts["multiply_adds"]
    samples = spec.train_size * (1 - config.val_fraction) * config.epochs
    return Estimate(facts.get("parameters", 0), speed, samples / speed if speed else None, basis)


def _remembered(config: TrainConfig, store: Store) -> float | None:
    device = "%" if config.device == "auto" else f"{config.device}%"
    key = "|".join((device, config.model, config.dataset, str(config.batch_size), config.precision, config.augment))
    with store.db.read() as db:
        row = db.execute("SELECT samples_per_second FROM speeds WHERE key LIKE ? ORDER BY at DESC", (key,)).fetchone()
    return float(row[0]) if row else None
