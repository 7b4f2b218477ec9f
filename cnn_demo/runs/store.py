"""The run store: what was trained, what is training, what is waiting. Shared by the app, the command line and the
workers.

No torch here: a page reads the store long before torch is loaded.
"""

from __future__ import annotations

import builtins
import csv
import io
import json
import os
import secrets
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnn_demo.runs.database import Database
from cnn_demo.runs.home import runs_home
from cnn_demo.runs.records import (
    HOLDS_DEVICE,
    Checkpoint,
    Curve,
    EpochRow,
    Mark,
    Run,
    RunBusy,
    RunNotFound,
    RunNotResumable,
    RunState,
)
from cnn_demo.settings.config import ConfigError, TrainConfig

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that can be mistaken for another when read aloud
_RUN_COLUMNS = """runs.*,
    (SELECT COUNT(*) FROM runs AS q WHERE q.state = 'queued' AND q.queued <= runs.queued) AS place,
    e.test_accuracy, e.test_loss, e.test_n, e.val_accuracy, e.val_loss, e.val_n"""
_RUN_TABLES = """runs
    LEFT JOIN epochs AS e ON e.run = runs.id AND e.epoch = (SELECT MAX(epoch) FROM epochs WHERE run = runs.id)"""


class Store:
    """All runs under one folder: a row and a folder each.

    Args:
        home: the folder; made when missing. Default: :func:`runs_home`.

    Raises:
        OSError: the folder cannot be made or written.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or runs_home()).resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.db = Database(self.home / "runs.sqlite")

    # -- making and finding --------------------------------------------------------------------------------------

    def create(
        self, config: TrainConfig, *, token: str | None = None, name: str = "", owned: bool = False, run_id: str = ""
    ) -> Run:
        """Put a new run into the queue.

        Args:
            config: what to train.
            token: names the wish: a second call with the same token returns the first call's run, so a double click
                launches once.
            name: for people; may be empty.
            owned: the caller will run it itself (the command line does); workers leave it alone.
            run_id: an id from :meth:`new_id`; by default a new one.
        """
        now = time.time()
        with self.db.transaction() as db:
            if token is not None:
                row = db.execute("SELECT id FROM runs WHERE token = ?", (token,)).fetchone()
                if row:
                    run_id = row["id"]
                    return self._get(db, run_id)
            run_id = run_id or self.new_id()
            self.folder(run_id).mkdir(parents=True, exist_ok=True)
            db.execute(
                "INSERT INTO runs (id, token, name, state, config, owned, created, queued)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run_id, token, name, RunState.QUEUED.value, json.dumps(config.to_dict()), int(owned), now, now),
            )
            return self._get(db, run_id)

    @staticmethod
    def new_id() -> str:
        """A fresh run id of eight letters and digits."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(8))

    def folder(self, run_id: str) -> Path:
        """Where the files of a run are."""
        return self.home / run_id

    def get(self, run_id: str) -> Run:
        """One run, as it is now: a run whose worker died is found crashed.

        Raises:
            RunNotFound: no such run.
        """
        with self.db.read() as db:
            run = self._get(db, run_id)
        return self._reconcile(run)

    def list(self) -> list[Run]:
        """All runs, the newest first."""
        with self.db.read() as db:
            rows = db.execute(f"SELECT {_RUN_COLUMNS} FROM {_RUN_TABLES} ORDER BY runs.number DESC").fetchall()
        return [self._reconcile(_run(row)) for row in rows]

    def version(self, run_id: str | None = None) -> int:
        """A number that changes whenever the run (or, without an id, any run) changes. 0 when there is no such run."""
        with self.db.read() as db:
            if run_id is not None:
                row = db.execute("SELECT version FROM runs WHERE id = ?", (run_id,)).fetchone()
                return int(row["version"]) if row else 0
            row = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(version), 0), COALESCE(MAX(number), 0) FROM runs"
            ).fetchone()
            return hash(tuple(row))

    def _get(self, db: sqlite3.Connection, run_id: str) -> Run:
        row = db.execute(f"SELECT {_RUN_COLUMNS} FROM {_RUN_TABLES} WHERE runs.id = ?", (run_id,)).fetchone()
        if row is None:
            raise RunNotFound(run_id)
        return _run(row)

    # -- life and death ------------------------------------------------------------------------------------------

    def lock(self, run_id: str) -> FileLock:
        """The lock that a run's worker holds for life: the only trustworthy sign that it lives."""
        return FileLock(self.folder(run_id) / "worker.lock", timeout=0, thread_local=False)

    def _reconcile(self, run: Run) -> Run:
        """Find out whether the process behind an active run is still there."""
        if run.state not in HOLDS_DEVICE and not (run.state is RunState.QUEUED and run.owned):
            return run
        folder = self.folder(run.id)
        if not folder.is_dir():
            return self._mark_dead(
                run.id, run.state, "folder_missing", f"the folder of run {run.id} was deleted while it ran"
            )
        try:
            with self.lock(run.id):
                # Nobody holds the lock, and nobody can take it while we look: what the row says now is final.
                return self._mark_dead(run.id, run.state, "killed", "the training process died without a word")
        except Timeout:
            return run

    def _mark_dead(self, run_id: str, seen: RunState, kind: str, error: str) -> Run:
        detail = _log_tail(self.folder(run_id) / "worker.log")
        with self.db.transaction() as db:
            run = self._get(db, run_id)
            if run.state is not seen:
                return run  # it ended, or was taken up again, between our two looks
            db.execute(
                "UPDATE runs SET state = 'crashed', error = ?, error_kind = ?, error_detail = ?, ended = ?, wish = '',"
                " activity = '{}', owned = 0, version = version + 1 WHERE id = ?",
                (error, kind, detail, time.time(), run_id),
            )
            self._mark(db, run, "crash")
            return self._get(db, run_id)

    # -- wishes --------------------------------------------------------------------------------------------------

    def pause(self, run_id: str) -> Run:
        """Ask a running run to wait. Nothing happens to a run that is not running.

        Raises:
            RunNotFound: no such run.
        """
        return self._wish(run_id, "pause", (RunState.STARTING, RunState.RUNNING))

    def stop(self, run_id: str) -> Run:
        """Ask an active run to end after the batch in progress; one that waits in the queue ends at once.

        Raises:
            RunNotFound: no such run.
        """
        with self.db.transaction() as db:
            run = self._get(db, run_id)
            if run.state is RunState.QUEUED:
                db.execute(
                    "UPDATE runs SET state = 'stopped', ended = ?, version = version + 1 WHERE id = ?",
                    (time.time(), run_id),
                )
            elif run.state in HOLDS_DEVICE:
                db.execute(
                    "UPDATE runs SET state = 'stopping', wish = 'stop', version = version + 1 WHERE id = ?", (run_id,)
                )
            return self._get(db, run_id)

    def resume(self, run_id: str) -> Run:
        """Let a paused run go on, or queue a stopped, failed or crashed one again, to go on from its last checkpoint.

        Raises:
            RunNotFound: no such run.
            RunNotResumable: it is finished.
        """
        run = self.get(run_id)
        with self.db.transaction() as db:
            run = self._get(db, run_id)
            if run.state is RunState.FINISHED:
                raise RunNotResumable(run)
            if run.state.resumable:
                db.execute(
                    "UPDATE runs SET state = 'queued', queued = ?, device = '', ended = NULL, error = '',"
                    " error_kind = '', error_detail = '', hint = '{}', wish = '', owned = 0,"
                    " version = version + 1 WHERE id = ?",
                    (time.time(), run_id),
                )
            elif run.state in (RunState.PAUSED, RunState.RUNNING, RunState.STARTING):
                db.execute("UPDATE runs SET wish = '', version = version + 1 WHERE id = ?", (run_id,))
            return self._get(db, run_id)

    def set_lr(self, run_id: str, lr: float) -> Run:
        """Ask for another base learning rate from the next step on; it is marked on the curve.

        Raises:
            RunNotFound: no such run.
            ConfigError: not a number above 0 and at most 10.
        """
        TrainConfig(lr=lr)
        with self.db.transaction() as db:
            run = self._get(db, run_id)
            if run.state.active:
                db.execute("UPDATE runs SET lr_wish = ?, version = version + 1 WHERE id = ?", (lr, run_id))
            return self._get(db, run_id)

    def _wish(self, run_id: str, wish: str, states: tuple[RunState, ...]) -> Run:
        with self.db.transaction() as db:
            run = self._get(db, run_id)
            if run.state in states:
                db.execute("UPDATE runs SET wish = ?, version = version + 1 WHERE id = ?", (wish, run_id))
            return self._get(db, run_id)

    def rename(self, run_id: str, name: str) -> Run:
        """Give a run a name for people; an empty one takes it away.

        Raises:
            RunNotFound: no such run.
            ConfigError: longer than 80 characters.
        """
        name = " ".join(name.split())
        if len(name) > 80:
            raise ConfigError("name", name, "at most 80 characters")
        with self.db.transaction() as db:
            self._get(db, run_id)
            db.execute("UPDATE runs SET name = ?, version = version + 1 WHERE id = ?", (name, run_id))
            return self._get(db, run_id)

    def delete(self, run_id: str) -> None:
        """Delete a run with its files.

        Raises:
            RunNotFound: no such run.
            RunBusy: it is active.
        """
        self.get(run_id)
        with self.db.transaction() as db:
            run = self._get(db, run_id)
            if run.state.active:
                raise RunBusy(run)
            for table in ("steps", "epochs", "marks", "checkpoints"):
                db.execute(f"DELETE FROM {table} WHERE run = ?", (run_id,))
            db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        shutil.rmtree(self.folder(run_id), ignore_errors=True)

    # -- metrics -------------------------------------------------------------------------------------------------

    def steps(self, run_id: str, *, points: int = 500) -> Curve:
        """The training curve in at most ``points`` points, each the sample-weighted mean of equally many steps."""
        with self.db.read() as db:
            count = db.execute("SELECT COALESCE(MAX(step), 0) FROM steps WHERE run = ?", (run_id,)).fetchone()[0]
            width = max(1, -(-count // points))
            rows = db.execute(
                "SELECT MAX(step), MAX(epoch), SUM(loss * n) / SUM(n), SUM(accuracy * n) / SUM(n), AVG(lr) FROM steps"
                " WHERE run = ? GROUP BY (step - 1) / ? ORDER BY 1",
                (run_id, width),
            ).fetchall()
        columns: builtins.list[builtins.list[Any]] = [[row[i] for row in rows] for i in range(5)]
        return Curve(*columns)

    def epochs(self, run_id: str) -> builtins.list[EpochRow]:
        """Metrics of the complete epochs, in order."""
        names = ", ".join(EpochRow.__dataclass_fields__)
        with self.db.read() as db:
            rows = db.execute(f"SELECT {names} FROM epochs WHERE run = ? ORDER BY epoch", (run_id,)).fetchall()
        return [EpochRow(**{**dict(row), "best": bool(row["best"])}) for row in rows]

    def marks(self, run_id: str) -> builtins.list[Mark]:
        """What happened to the run, in order of time."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT step, epoch, kind, value, at FROM marks WHERE run = ? ORDER BY at", (run_id,)
            ).fetchall()
        return [Mark(**dict(row)) for row in rows]

    def checkpoints(self, run_id: str) -> builtins.list[Checkpoint]:
        """The checkpoints whose files are there, in order of steps."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT c.step, c.epoch, c.folder, e.test_accuracy, e.test_n FROM checkpoints AS c"
                " LEFT JOIN epochs AS e ON e.run = c.run AND e.step = c.step WHERE c.run = ? ORDER BY c.step",
                (run_id,),
            ).fetchall()
        found = [
            Checkpoint(
                run_id, r["step"], r["epoch"], self.folder(run_id) / r["folder"], r["test_accuracy"], r["test_n"]
            )
            for r in rows
        ]
        return [c for c in found if (c.path / "weights.safetensors").is_file()]

    def metrics_csv(self, run_id: str) -> str:
        """All metrics as CSV: a line a step, and test and validation figures on the lines where an epoch ends.

        Raises:
            RunNotFound: no such run.
        """
        self.get(run_id)
        out = io.StringIO()
        writer = csv.writer(out)
        ends = {row.step: row for row in self.epochs(run_id)}
        tail = ["test_loss", "test_accuracy", "test_n", "val_loss", "val_accuracy", "val_n"]
        writer.writerow(["step", "epoch", "lr", "n", "train_loss", "train_accuracy", *tail])
        with self.db.read() as db:
            rows = db.execute(
                "SELECT step, epoch, lr, n, loss, accuracy FROM steps WHERE run = ? ORDER BY step", (run_id,)
            ).fetchall()
        for row in rows:
            end = ends.get(row["step"])
            writer.writerow([*row, *(getattr(end, name) if end else None for name in tail)])
        return out.getvalue()

    @staticmethod
    def _mark(db: sqlite3.Connection, run: Run, kind: str, value: float | None = None) -> None:
        db.execute(
            "INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?)", (run.id, run.step, run.epoch, kind, value, time.time())
        )


def _run(row: sqlite3.Row) -> Run:
    plain = {key: row[key] for key in row.keys() if key in Run.__dataclass_fields__}  # noqa: SIM118 (a Row iterates over values)
    state = RunState(row["state"])
    config = TrainConfig.from_dict(json.loads(row["config"]))
    return Run(
        **{
            **plain,
            "state": state,
            "config": config,
            "owned": bool(row["owned"]),
            "hint": json.loads(row["hint"]),
            "activity": json.loads(row["activity"]),
            "versions": json.loads(row["versions"]),
            "queue_position": row["place"] if state is RunState.QUEUED else 0,
        }
    )


def _log_tail(path: Path, size: int = 4000) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
