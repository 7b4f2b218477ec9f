"""The tables of the run store, as SQLAlchemy describes them.

Values that differ from task to task (metrics, activity, hints) are JSON in a text column, read by
:mod:`cnn_demo.runs.rows`, so that a new metric or a damaged value needs no new column and breaks no query. Order comes
from the counter ``changes``, never from a clock: clocks jump.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
    false,
)

from cnn_demo.runs.records import HOLDS_DEVICE

metadata = MetaData()


def _column(name: str, kind: Any, default: Any = None, **more: Any) -> Column[Any]:
    """A column that is never NULL and starts with a default."""
    server_default = str(default) if not isinstance(default, bool) else false()
    return Column(name, kind, nullable=False, server_default=server_default, **more)


runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("token", Text, unique=True),
    _column("name", Text, ""),
    Column("state", Text, nullable=False),
    Column("config", Text, nullable=False),
    _column("requested_device", Text, "auto"),
    _column("device", Text, ""),
    _column("owned", Boolean, False),
    Column("created", Double, nullable=False),
    _column("place", BigInteger, 0),  # value of the counter ``changes`` when it was queued
    Column("started", Double),
    Column("ended", Double),
    _column("step", BigInteger, 0),
    _column("total_steps", BigInteger, 0),
    _column("epoch", Double, 0),
    _column("samples_per_second", Double, 0),
    _column("memory_bytes", BigInteger, 0),
    _column("train_seconds", Double, 0),
    _column("parameters", BigInteger, 0),
    _column("train_n", BigInteger, 0),
    _column("error", Text, ""),
    _column("error_kind", Text, ""),
    _column("error_detail", Text, ""),
    _column("hint", Text, "{}"),
    _column("activity", Text, "{}"),
    _column("versions", Text, "{}"),
    _column("request", Text, ""),  # "pause", "stop" or nothing
    Column("lr_request", Double),
    _column("attempts", Integer, 0),  # workers started for it that did not take it
    _column("rewinds", Integer, 0),  # how often recorded steps were deleted: what was computed from them is void
    _column("version", BigInteger, 0),  # value of the counter ``changes`` at its last change
    sqlite_autoincrement=True,  # a number is never given twice
)
# The rule "one active run a device" is the database's, so no two processes can break it. As text, because an ``Index``
# with such a condition loads SQLAlchemy's whole PostgreSQL dialect, also for SQLite.
ONE_ACTIVE_RUN = DDL(
    "CREATE UNIQUE INDEX one_active_run_a_device ON runs (device) WHERE state IN ({})".format(
        ", ".join(f"'{state.value}'" for state in sorted(HOLDS_DEVICE))
    )
)
event.listen(runs, "after_create", ONE_ACTIVE_RUN)
Index("runs_in_queue", runs.c.state, runs.c.place, runs.c.requested_device, runs.c.owned)

# What the training steps from ``first`` to ``last`` measured, see :mod:`cnn_demo.runs.step_blocks`.
step_blocks = Table(
    "step_blocks",
    metadata,
    Column("run", Text, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("names", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
# What one epoch measured; ``metrics`` is JSON: loss and whatever else the task measures.
epochs = Table(
    "epochs",
    metadata,
    Column("run", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("step", BigInteger, nullable=False),
    _column("best", Boolean, False),  # the lowest validation loss so far
    Column("metrics", Text, nullable=False),
    sqlite_with_rowid=False,
)
marks = Table(
    "marks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", Text, nullable=False, index=True),
    Column("step", BigInteger, nullable=False),
    Column("epoch", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Double),
    Column("at", Double, nullable=False),
    sqlite_autoincrement=True,
)
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("run", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("epoch", Double, nullable=False),
    Column("folder", Text, nullable=False),
    sqlite_with_rowid=False,
)
# Who may start a worker, and since when: one row a turn that was taken.
turns = Table("turns", metadata, Column("name", Text, primary_key=True), Column("at", Double, nullable=False))
# How fast runs with the same ``key`` trained on this machine.
speeds = Table(
    "speeds",
    metadata,
    Column("device", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("samples_per_second", Double, nullable=False),
    Column("at", Double, nullable=False),
)
# ``schema``: the version of these tables. ``changes``: grows with every change of a run.
counters = Table(
    "counters", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)
