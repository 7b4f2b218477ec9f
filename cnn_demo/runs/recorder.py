"""What a worker writes into the store: claims, progress, metrics, checkpoints, the end."""

from __future__ import annotations

import json
import time
from typing import Any

from filelock import FileLock, Timeout

from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.training.control import Control
from cnn_demo.training.events import EpochEnd, Progress, Snapshot, Started

WISH_SECONDS = 0.1
_HOLDING = "'starting', 'running', 'paused', 'stopping'"


class RunAbandoned(RuntimeError):
    """The store no longer counts on this worker: the run was declared dead or deleted."""


def claim(store: Store, devices: list[str]) -> tuple[Run, FileLock] | None:
    """Take the next run whose device is free.

    Args:
        store: the run store.
        devices: names of this machine's devices, the preferred one first.

    Returns:
        The run, now ``starting`` on a device, and its lock, held; or None when nothing can start now.
    """
    with store.db.read() as db:
        waiting = db.execute("SELECT id FROM runs WHERE state = 'queued' AND owned = 0 ORDER BY queued").fetchall()
    for row in waiting:
        lock = store.lock(row["id"])
        try:
            lock.acquire()
        except (Timeout, OSError):
            continue
        run = claim_own(store, devices, row["id"])
        if run is not None:
            return run, lock
        lock.release()
    return None


def claim_own(store: Store, devices: list[str], run_id: str) -> Run | None:
    """Take one queued run, whose lock the caller holds; None when its device is busy or it waits no more."""
    with store.db.transaction() as db:
        row = db.execute("SELECT config FROM runs WHERE id = ? AND state = 'queued'", (run_id,)).fetchone()
        if row is None:
            return None
        busy = {taken["device"] for taken in db.execute(f"SELECT device FROM runs WHERE state IN ({_HOLDING})")}
        free = [name for name in _candidates(json.loads(row["config"])["device"], devices) if name not in busy]
        if not free:
            return None
        db.execute(
            "UPDATE runs SET state = 'starting', device = ?, started = COALESCE(started, ?), ended = NULL,"
            " attempts = 0, version = version + 1 WHERE id = ?",
            (free[0], time.time(), run_id),
        )
    return store.get(run_id)


def _candidates(wanted: str, devices: list[str]) -> list[str]:
    if wanted == "auto":
        # On a machine with several GPUs the queue spreads over them; it never spills over to another kind of device.
        return [name for name in devices if name.split(":")[0] == devices[0].split(":")[0]]
    if wanted == "cuda":
        return [name for name in devices if name.startswith("cuda")] or ["cuda:0"]
    return [wanted]  # a device that is not here fails later, in words


class StoreControl(Control):
    """Control from the store: what people wish on a page or a command line reaches the loop within 0.1 s."""

    def __init__(self, store: Store, run_id: str) -> None:
        super().__init__()
        self._store, self._run_id, self._next = store, run_id, 0.0

    def refresh(self) -> None:
        """Look for wishes, at most ten times a second.

        Raises:
            RunAbandoned: the run was declared dead or deleted.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + WISH_SECONDS
        with self._store.db.read() as db:
            row = db.execute("SELECT state, wish, lr_wish FROM runs WHERE id = ?", (self._run_id,)).fetchone()
        if row is None or RunState(row["state"]).ended:
            raise RunAbandoned(self._run_id)
        if row["wish"] == "stop":
            self.stop()
        elif row["wish"] == "pause":
            self.pause()
        else:
            self.resume()
        if row["lr_wish"] is not None:
            with self._store.db.transaction() as db:
                db.execute(
                    "UPDATE runs SET lr_wish = NULL WHERE id = ? AND lr_wish = ?", (self._run_id, row["lr_wish"])
                )
            self.set_lr(row["lr_wish"])


class Recorder:
    """Writes the story of one run. Every method is one transaction."""

    def __init__(self, store: Store, run: Run) -> None:
        self.store, self.run = store, run

    def _update(self, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.store.db.transaction() as db:
            db.execute(
                f"UPDATE runs SET {columns}, version = version + 1 WHERE id = ?", (*values.values(), self.run.id)
            )

    def activity(self, **what: Any) -> None:
        """What a starting run is doing, for people who wait."""
        self._update(activity=json.dumps(what))

    def rewind(self, snapshot: Snapshot | None) -> list[tuple[int, float]]:
        """Forget the metrics after a snapshot, for they will be made again; returns the learning rates set since."""
        step, epoch = (snapshot.step, snapshot.epoch) if snapshot else (0, 0.0)
        with self.store.db.transaction() as db:
            for table in ("steps", "epochs", "checkpoints"):
                db.execute(f"DELETE FROM {table} WHERE run = ? AND step > ?", (self.run.id, step))
            rows = db.execute(
                "SELECT step, value FROM marks WHERE run = ? AND kind = 'lr' AND step >= ? ORDER BY at",
                (self.run.id, step),
            ).fetchall()
            db.execute(
                "UPDATE runs SET step = ?, epoch = ?, version = version + 1 WHERE id = ?", (step, epoch, self.run.id)
            )
        return [(row["step"], row["value"]) for row in rows]

    def started(self, event: Started, versions: dict[str, str]) -> None:
        self._update(
            step=event.step,
            total_steps=event.total_steps,
            parameters=event.parameters,
            train_n=event.train_n,
            activity="{}",
            versions=json.dumps(versions),
        )
        self.state(RunState.RUNNING)

    def state(self, state: RunState) -> None:
        """Move to ``running`` or ``paused``; a run that is asked to stop stays ``stopping``."""
        with self.store.db.transaction() as db:
            db.execute(
                "UPDATE runs SET state = ?, version = version + 1"
                " WHERE id = ? AND state IN ('starting', 'running', 'paused')",
                (state.value, self.run.id),
            )

    def mark(self, kind: str, step: int, epoch: float, value: float | None = None) -> None:
        with self.store.db.transaction() as db:
            db.execute(
                "INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?)", (self.run.id, step, epoch, kind, value, time.time())
            )
            db.execute("UPDATE runs SET version = version + 1 WHERE id = ?", (self.run.id,))

    def progress(self, event: Progress) -> None:
        last = event.steps[-1]
        with self.store.db.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(self.run.id, m.step, m.epoch, m.loss, m.accuracy, m.n, m.lr) for m in event.steps],
            )
            db.execute(
                "UPDATE runs SET step = ?, epoch = ?, samples_per_second = ?, train_seconds = ?, memory_bytes = ?,"
                " version = version + 1 WHERE id = ?",
                (last.step, last.epoch, event.samples_per_second, event.train_seconds, event.memory_bytes, self.run.id),
            )

    def epoch_end(self, event: EpochEnd) -> None:
        val = event.val
        row = (
            self.run.id,
            event.epoch,
            event.step,
            event.train.loss,
            event.train.accuracy,
            event.train.n,
            event.test.loss,
            event.test.accuracy,
            event.test.n,
            val.loss if val else None,
            val.accuracy if val else None,
            val.n if val else None,
            event.lr,
            event.train.seconds,
            event.samples_per_second,
            int(event.best),
        )
        with self.store.db.transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO epochs VALUES ({', '.join('?' * len(row))})", row)
            db.execute("UPDATE runs SET version = version + 1 WHERE id = ?", (self.run.id,))
            db.execute(
                "INSERT OR REPLACE INTO speeds SELECT ?, parameters, ?, ? FROM runs WHERE id = ?",
                (speed_key(self.run), event.samples_per_second, time.time(), self.run.id),
            )

    def checkpoint(self, step: int, epoch: float, folder: str) -> None:
        with self.store.db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)", (self.run.id, step, epoch, folder))
            db.execute("UPDATE runs SET version = version + 1 WHERE id = ?", (self.run.id,))

    def end(self, state: RunState) -> None:
        self._update(state=state.value, ended=time.time(), wish="", lr_wish=None, activity="{}", owned=0)

    def fail(self, kind: str, error: str, detail: str = "", hint: dict[str, Any] | None = None) -> None:
        """End in ``failed``, with a sentence for people, a word for programs, and data for a way out."""
        self._update(
            state=RunState.FAILED.value,
            ended=time.time(),
            wish="",
            lr_wish=None,
            activity="{}",
            owned=0,
            error=error,
            error_kind=kind,
            error_detail=detail,
            hint=json.dumps(hint or {}),
        )


def speed_key(run: Run) -> str:
    """Runs with this key in common train at about the same speed on one machine."""
    c = run.config
    return "|".join((run.device, c.model, c.dataset, str(c.batch_size), c.precision, c.augment))
