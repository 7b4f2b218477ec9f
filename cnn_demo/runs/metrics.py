"""The part of the store that keeps what a run measured: steps, epochs, marks, checkpoints, speeds."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, select

from cnn_demo.runs.base import SELECT_RUNS, StoreBase
from cnn_demo.runs.curve_sums import CurveSums
from cnn_demo.runs.database import replace_row
from cnn_demo.runs.records import ACTIVE, Checkpoint, Curve, EpochRow, Mark, RunChoice, RunNotFound
from cnn_demo.runs.rows import decode_json, encode_json, epoch_from_row, run_from_row
from cnn_demo.runs.step_blocks import add_block, forget_steps, get_column, unpack_block
from cnn_demo.runs.tables import checkpoints, epochs, marks, runs, speeds, step_blocks

if TYPE_CHECKING:
    from cnn_demo.training.events import StepMetrics

WEIGHTS = "weights.safetensors"  # as in cnn_demo.training.snapshot, which imports torch
_CSV_COLUMNS = ("step", "epoch", "lr", "n", "loss", "accuracy", "grad_norm")
_CSV_TAIL = ("test_loss", "test_accuracy", "test_n", "val_loss", "val_accuracy", "val_n")

_select_epochs = select(epochs).where(epochs.c.run == bindparam("run")).order_by(epochs.c.epoch)
_select_marks = (
    select(marks.c.step, marks.c.epoch, marks.c.kind, marks.c.value, marks.c.at)
    .where(marks.c.run == bindparam("run"))
    .order_by(marks.c.id)
)


def _best_step_of(run: Any) -> Any:
    """The step of the last epoch whose validation loss was the lowest so far: the lowest of all."""
    of_run = epochs.alias()
    best = select(of_run.c.step).where(of_run.c.run == run, of_run.c.best)
    return best.order_by(of_run.c.epoch.desc()).limit(1).scalar_subquery()


_select_checkpoints = (
    select(
        checkpoints.c.step,
        checkpoints.c.epoch,
        checkpoints.c.folder,
        epochs.c.metrics,
        (checkpoints.c.step == _best_step_of(bindparam("run"))).label("best"),
    )
    .outerjoin_from(checkpoints, epochs, and_(epochs.c.run == checkpoints.c.run, epochs.c.step == checkpoints.c.step))
    .where(checkpoints.c.run == bindparam("run"))
    .order_by(checkpoints.c.step.desc())
)
_newest_step = select(func.max(checkpoints.c.step)).where(checkpoints.c.run == runs.c.id).scalar_subquery()
_best = checkpoints.alias()
_best_step = (
    select(_best.c.step).where(_best.c.run == runs.c.id, _best.c.step == _best_step_of(runs.c.id)).scalar_subquery()
)
_select_choices = (
    SELECT_RUNS.add_columns(_newest_step.label("newest_step"), _best_step.label("best_step"))
    .where(_newest_step.is_not(None) | runs.c.state.in_(sorted(state.value for state in ACTIVE)))
    .order_by(runs.c.number.desc())
    .limit(bindparam("limit"))
)


class MetricsPart(StoreBase):
    """Metrics and checkpoints of the runs."""

    def __init__(self, home: Path | None = None) -> None:
        super().__init__(home)
        self._curve_sums = CurveSums()

    # -- reading ---------------------------------------------------------------------------------------------------

    def steps(self, run_id: str, *, points: int = 500) -> Curve:
        """The training curve in at most ``points`` points (1 to 1,024), each the sample-weighted mean of equally many
        steps. Only what was recorded since the last look is read.
        """
        with self.db.read() as connection:
            return self._curve_sums.read_curve(connection, run_id, points)

    def epochs(self, run_id: str) -> list[EpochRow]:
        """Metrics of the complete epochs, in order."""
        with self.db.read() as connection:
            return [epoch_from_row(row) for row in connection.execute(_select_epochs, {"run": run_id}).mappings()]

    def marks(self, run_id: str) -> list[Mark]:
        """What happened to the run, in the order in which it was recorded."""
        with self.db.read() as connection:
            return [Mark(*row) for row in connection.execute(_select_marks, {"run": run_id})]

    def metrics_csv(self, run_id: str) -> str:
        """All metrics as CSV: a line a step, and test and validation figures on the lines where an epoch ends.

        Raises:
            RunNotFound: no such run.
        """
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([*_CSV_COLUMNS[:4], "train_loss", "train_accuracy", "grad_norm", *_CSV_TAIL])
        with self.db.read() as connection:
            self._get(connection, run_id)
            of_run = select(step_blocks).where(step_blocks.c.run == run_id).order_by(step_blocks.c.first)
            blocks = [unpack_block(row) for row in connection.execute(of_run)]
        ends = {row.step: row for row in self.epochs(run_id)}
        for block in blocks:
            columns = [get_column(block, name).tolist() for name in _CSV_COLUMNS]
            for step, epoch, lr, n, *trained in zip(*columns, strict=True):
                measured = [None if math.isnan(value) else value for value in trained]
                end = [getattr(ends.get(int(step)), name, None) for name in _CSV_TAIL]
                writer.writerow([int(step), epoch, lr, int(n), *measured, *end])
        return out.getvalue()

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """The checkpoints whose files are there, in order of steps."""
        with self.db.read() as connection:
            rows = connection.execute(_select_checkpoints, {"run": run_id}).all()
        return [found for row in reversed(rows) if (found := self._checkpoint(run_id, row))]

    def newest_checkpoint(self, run_id: str) -> Checkpoint | None:
        """The checkpoint with the most steps, of those whose files are there.

        Raises:
            RunNotFound: no such run.
        """
        return next((found for row in self._rows_of(run_id) if (found := self._checkpoint(run_id, row))), None)

    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        """The checkpoint with the lowest validation loss; None where nothing was validated or its files are gone.

        Raises:
            RunNotFound: no such run.
        """
        return next((self._checkpoint(run_id, row) for row in self._rows_of(run_id) if row.best), None)

    def checkpoint_at(self, run_id: str, step: int) -> Checkpoint | None:
        """The checkpoint of a step.

        Raises:
            RunNotFound: no such run.
        """
        return next((self._checkpoint(run_id, row) for row in self._rows_of(run_id) if row.step == step), None)

    def runs_with_checkpoints(self, limit: int = 200) -> list[RunChoice]:
        """The newest runs that have a checkpoint, or are active and will have one: what a picker offers.

        One query; no file is looked at, so a checkpoint may turn out to be gone when it is asked for.
        """
        with self.db.read() as connection:
            rows = connection.execute(_select_choices, {"limit": limit}).mappings().all()
        return [RunChoice(run_from_row(row, row["last_epoch"]), row["newest_step"], row["best_step"]) for row in rows]

    def _rows_of(self, run_id: str) -> Sequence[Any]:
        with self.db.read() as connection:
            rows: Sequence[Any] = connection.execute(_select_checkpoints, {"run": run_id}).all()
            if not rows and connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first() is None:
                raise RunNotFound(run_id)
        return rows

    def _checkpoint(self, run_id: str, row: Any) -> Checkpoint | None:
        path = self.folder(run_id) / row.folder
        if not (path / WEIGHTS).is_file():
            return None
        metrics = decode_json(row.metrics)
        tested = metrics.get("test_accuracy"), metrics.get("test_n")
        return Checkpoint(run_id, row.step, row.epoch, path, *tested, best=bool(row.best))

    # -- writing: what a worker reports ------------------------------------------------------------------------------

    def add_steps(self, run_id: str, made: Sequence[StepMetrics], **values: Any) -> None:
        """Record training steps, in place of those from the first of them on.

        Args:
            run_id: the run.
            made: the steps in their order.
            values: columns of the run that change with them.
        """
        columns = {field.name: [getattr(step, field.name) for step in made] for field in fields(made[0])}
        with self.db.transaction() as connection:
            add_block(connection, run_id, columns)
            self._change(connection, run_id, **values)

    def add_epoch(self, run_id: str, epoch: int, step: int, metrics: Mapping[str, Any], *, best: bool) -> None:
        """Record a complete epoch; names of metrics begin with ``train_``, ``test_`` or ``val_``."""
        with self.db.transaction() as connection:
            values = {"run": run_id, "epoch": epoch, "step": step, "best": best, "metrics": encode_json(metrics)}
            replace_row(connection, epochs, **values)
            self._change(connection, run_id)

    def add_mark(self, run_id: str, kind: str, step: int, epoch: float, value: float | None = None) -> None:
        """Record that something happened after a step.

        A learning rate (kind ``lr``) replaces those that were marked at this or a later step: they are from a life
        of the run before its last resume, and will not be set again.
        """
        with self.db.transaction() as connection:
            if kind == "lr":
                later = (marks.c.run == run_id, marks.c.kind == "lr", marks.c.step >= step)
                connection.execute(delete(marks).where(*later))
            self._mark(connection, run_id, kind, step, epoch, value)
            self._change(connection, run_id)

    def _mark(
        self, connection: Any, run_id: str, kind: str, step: int, epoch: float, value: float | None = None
    ) -> None:
        values = {"run": run_id, "step": step, "epoch": epoch, "kind": kind, "value": value, "at": time.time()}
        connection.execute(insert(marks), values)

    def add_checkpoint(self, run_id: str, step: int, epoch: float, folder: str) -> None:
        """Record a checkpoint in a folder of the run's folder."""
        with self.db.transaction() as connection:
            replace_row(connection, checkpoints, run=run_id, step=step, epoch=epoch, folder=folder)
            self._change(connection, run_id)

    def rewind(self, run_id: str, step: int, epoch: float) -> list[tuple[int, float]]:
        """Forget what was measured after a step, for it will be measured again.

        Returns:
            The learning rates set from that step on, as (step, rate).
        """
        with self.db.transaction() as connection:
            forget_steps(connection, run_id, step)
            for table in (epochs, checkpoints):
                connection.execute(delete(table).where(table.c.run == run_id, table.c.step > step))
            of_run = (marks.c.run == run_id, marks.c.kind == "lr", marks.c.step >= step)
            rates = connection.execute(select(marks.c.step, marks.c.value).where(*of_run).order_by(marks.c.id)).all()
            self._change(connection, run_id, step=step, epoch=epoch, rewinds=runs.c.rewinds + 1)
        return [(row.step, row.value) for row in rates]

    # -- speeds ------------------------------------------------------------------------------------------------------

    def add_speed(self, device: str, key: str, samples_per_second: float) -> None:
        """Remember how fast runs with this key train on a device of this machine."""
        with self.db.transaction() as connection:
            values = {"device": device, "key": key, "samples_per_second": samples_per_second, "at": time.time()}
            replace_row(connection, speeds, **values)

    def find_speed(self, key: str, device: str = "") -> float | None:
        """The newest speed of runs with this key, on a device whose name begins with ``device``; None before one."""
        wanted = (speeds.c.key == key, speeds.c.device.startswith(device, autoescape=True))
        with self.db.read() as connection:
            found = select(speeds.c.samples_per_second).where(*wanted).order_by(speeds.c.at.desc()).limit(1)
            return connection.execute(found).scalar()
