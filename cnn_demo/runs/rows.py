"""From rows of the database to records. Nothing here raises: a row that another version made, or that is damaged,
becomes a record that says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import RowMapping

from cnn_demo.runs.records import EpochRow, Run, RunState
from cnn_demo.settings.errors import HIDDEN
from cnn_demo.settings.stored import load_stored_config

_TEXTS = ("name", "device", "error", "error_kind", "error_detail", "request")
_NUMBERS = (
    "step",
    "total_steps",
    "epoch",
    "samples_per_second",
    "memory_bytes",
    "train_seconds",
    "parameters",
    "train_n",
    "version",
    "created",
)
_TABLES = ("hint", "activity", "versions")
_OF_LAST_EPOCH = ("test_accuracy", "test_loss", "test_n", "val_accuracy", "val_loss", "val_n")
_COUNTS = ("train_n", "test_n", "val_n")


def encode_json(values: Mapping[str, Any]) -> str:
    """JSON without NaN and infinity, which not every database can read: they become null."""
    return json.dumps(
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}, allow_nan=False
    )


def decode_json(text: object) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# Reading a config checks every setting; many runs have the same one, and a run is read at every poll.
_load_stored_config = lru_cache(maxsize=1024)(load_stored_config)


def run_from_row(row: RowMapping, last_epoch: object, queue_position: int = 0) -> Run:
    """A run.

    Args:
        row: the columns of the table ``runs``.
        last_epoch: the metrics of its last complete epoch, JSON; None before that.
        queue_position: 1 for the next to start.
    """
    stored = _load_stored_config(row["config"])
    problems = [stored.problem] if stored.problem else []
    try:
        state = RunState(row["state"])
    except ValueError:
        state = RunState.STOPPED
        problems.append(f"unknown state {row['state']!r}")
    metrics = decode_json(last_epoch)
    plain: dict[str, Any] = {name: _hide(stored.config.collection, str(row[name] or "")) for name in _TEXTS}
    plain |= {name: row[name] if isinstance(row[name], int | float) else 0 for name in _NUMBERS}
    plain |= {name: decode_json(row[name]) for name in _TABLES}
    plain |= {name: _number(metrics, name) for name in _OF_LAST_EPOCH if name in metrics}
    return Run(
        id=row["id"],
        number=row["number"],
        state=state,
        config=stored.config,
        started=row["started"],
        ended=row["ended"],
        owned=bool(row["owned"]),
        queue_position=queue_position if state is RunState.QUEUED else 0,
        unknown_settings=stored.unknown,
        problem="; ".join(problems),
        **plain,
    )


def _hide(secret: str, text: str) -> str:
    """A text without a secret: older versions wrote the name of a run's collection into its error."""
    return text.replace(secret, HIDDEN) if secret else text


def epoch_from_row(row: RowMapping) -> EpochRow:
    """An epoch. What was not measured is None for the validation split and NaN (or 0 samples) otherwise."""
    metrics = decode_json(row["metrics"])
    return EpochRow(
        epoch=row["epoch"],
        step=row["step"],
        best=bool(row["best"]),
        **{name: _number(metrics, name) for name in EpochRow.__dataclass_fields__ if name not in row},
    )


def _number(metrics: Mapping[str, Any], name: str) -> Any:
    value = metrics.get(name)
    if value is not None:
        return value
    # The key is there where something was measured: null is what a value that is not finite was stored as.
    if name.startswith("val_") and not metrics.get("val_n"):
        return None
    return 0 if name in _COUNTS else math.nan
