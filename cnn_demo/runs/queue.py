"""The part of the store that is the waiting line: who is next, and who may start a worker for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from filelock import FileLock, Timeout
from sqlalchemy import Connection, delete, func, insert, select, update

from cnn_demo.runs.base import SELECT_CHANGES, SELECT_RUNS, StoreBase
from cnn_demo.runs.records import HOLDS_DEVICE, Run, RunState
from cnn_demo.runs.rows import run_from_row
from cnn_demo.runs.tables import runs, turns

_QUEUED = (runs.c.state == RunState.QUEUED.value, ~runs.c.owned)
_HOLDING = sorted(state.value for state in HOLDS_DEVICE)

_count_queued = select(func.count()).where(*_QUEUED)
_holds_device = runs.c.state.in_(_HOLDING)
_busy_devices = select(runs.c.device).where(_holds_device)
_head = select(runs.c.id, runs.c.attempts).where(*_QUEUED).order_by(runs.c.place).limit(1)


class QueuePart(StoreBase):
    """The queue of the runs that wait for a device, in the order in which they were queued."""

    def count_queued(self) -> int:
        """How many runs wait for a worker."""
        with self.db.read() as connection:
            return int(connection.execute(_count_queued).scalar_one())

    def list_ahead(self, run_id: str | None) -> tuple[list[Run], list[Run]]:
        """The runs that hold a device, and those that are before a queued run, the next one first.

        Args:
            run_id: the run; both lists are empty for one that does not wait. None: one that would be queued now.
        """
        queued, holding_it = SELECT_RUNS.where(*_QUEUED).order_by(runs.c.place), SELECT_RUNS.where(_holds_device)
        with self.db.read() as connection:
            if run_id is not None:
                place = select(runs.c.place).where(runs.c.id == run_id, runs.c.state == RunState.QUEUED.value)
                own = connection.execute(place).scalar()
                if own is None:
                    return [], []
                queued = queued.where(runs.c.place < own)
            selected = (holding_it, queued)
            rows = [connection.execute(query).mappings().all() for query in selected]
        holding, waiting = ([run_from_row(row, row["last_epoch"]) for row in found] for found in rows)
        return holding, waiting

    def claim(self, devices: Sequence[str]) -> tuple[Run, FileLock] | None:
        """Take the next run whose device is free.

        Args:
            devices: names of this machine's devices, the preferred one first.

        Returns:
            The run, now ``starting`` on a device, and its lock, held; or None when nothing can start now.
        """
        with self.db.read() as connection:
            if _find_startable(connection, devices, set()) is None:
                return None  # without the write lock: this is asked often
        lock: FileLock | None = None
        try:
            with self.db.transaction() as connection:
                passed_over: set[str] = set()
                # What is free and who is first is one picture: a device that frees meanwhile frees for the next look.
                while found := _find_startable(connection, devices, passed_over):
                    run_id, device = found
                    passed_over.add(run_id)
                    lock = self.lock(run_id)
                    try:
                        lock.acquire()
                    except (Timeout, OSError):
                        continue  # its former worker is about to end, or its folder is gone
                    if run := self._start(connection, run_id, device):
                        return run, lock
                    lock.release()
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return None

    def claim_own(self, devices: Sequence[str], run_id: str) -> Run | None:
        """Take one queued run, whose lock the caller holds; None when its device is busy or it waits no more."""
        with self.db.transaction() as connection:
            waits = select(runs.c.requested_device).where(runs.c.id == run_id, runs.c.state == RunState.QUEUED.value)
            row = connection.execute(waits).first()
            busy = set(connection.execute(_busy_devices).scalars())
            free = [name for name in _candidates(row.requested_device, devices) if name not in busy] if row else []
            return self._start(connection, run_id, free[0]) if free else None

    def _start(self, connection: Connection, run_id: str, device: str) -> Run | None:
        """Let a queued run start; one that another version made fails instead, for its settings are not understood."""
        run = self._get(connection, run_id)
        if run.from_other_version:
            error = f"another version of this program queued it, and this one does not understand it: {run.problem}"
            self._fail(connection, run_id, "other_version", error)
            return None
        started = func.coalesce(runs.c.started, time.time())
        values = {"device": device, "started": started, "ended": None, "attempts": 0}
        self._change(connection, run_id, state=RunState.STARTING.value, **values)
        return self._get(connection, run_id)

    def _fail(self, connection: Connection, run_id: str, kind: str, error: str, detail: str = "") -> None:
        values = {"error": error, "error_kind": kind, "error_detail": detail, "ended": time.time(), "attempts": 0}
        self._change(connection, run_id, state=RunState.FAILED.value, **values)

    # -- workers on their way ----------------------------------------------------------------------------------------

    def fail_head(self, kind: str, error: str, detail: str = "") -> None:
        """Fail the run at the head of the queue: no worker can be had for it."""
        with self.db.transaction() as connection:
            head = connection.execute(_head).first()
            if head:
                self._fail(connection, head.id, kind, error, detail)

    def count_attempt(self) -> int:
        """Count another worker started for the head of the queue; 0 when the queue is empty."""
        with self.db.transaction() as connection:
            head = connection.execute(_head).first()
            if head is None:
                return 0
            connection.execute(update(runs).where(runs.c.id == head.id).values(attempts=head.attempts + 1))
            return int(head.attempts) + 1

    def take_turn(self, name: str, seconds: float) -> bool:
        """Whether the caller may do something that nobody else on this store has begun within the last ``seconds``."""
        now = time.time()
        with self.db.transaction() as connection:
            taken = connection.execute(select(turns.c.at).where(turns.c.name == name)).scalar()
            if taken is not None and 0 <= now - taken < seconds:
                return False
            connection.execute(delete(turns).where(turns.c.name == name))
            connection.execute(insert(turns).values(name=name, at=now))
            return True

    def end_turn(self, name: str) -> None:
        """Let the next caller of :meth:`take_turn` go ahead."""
        with self.db.transaction() as connection:
            connection.execute(delete(turns).where(turns.c.name == name))


class QueuePoll:
    """Looks for a run to take, as often as one likes: while nothing changes in the store, a look is one small query."""

    def __init__(self, store: QueuePart, devices: Sequence[str]) -> None:
        self._store, self._devices = store, devices
        self._seen, self._waiting = -1, False

    def claim(self) -> tuple[Run, FileLock] | None:
        """Take the next run whose device is free, as :meth:`QueuePart.claim` does."""
        with self._store.db.read() as connection:
            changes = int(connection.execute(SELECT_CHANGES).scalar_one())
            if changes == self._seen:
                return None
            self._waiting = connection.execute(_head).first() is not None
            startable = _find_startable(connection, self._devices, set()) is not None
        # A run that could start and did not (its former worker still holds its lock) is tried again at the next look.
        claimed = self._store.claim(self._devices) if startable else None
        self._seen = -1 if startable else changes
        return claimed

    @property
    def waiting(self) -> bool:
        """Whether any run waited for a worker at the last look."""
        return self._waiting


def _find_startable(connection: Connection, devices: Sequence[str], passed_over: set[str]) -> tuple[str, str] | None:
    """The first queued run that has a free device, and that device."""
    first = (
        select(func.min(runs.c.place)).where(*_QUEUED, runs.c.id.not_in(passed_over)).group_by(runs.c.requested_device)
    )
    heads = select(runs.c.id, runs.c.requested_device).where(*_QUEUED, runs.c.place.in_(first)).order_by(runs.c.place)
    waiting = connection.execute(heads).all()
    if not waiting:
        return None
    busy = set(connection.execute(_busy_devices).scalars())
    for run_id, requested in waiting:
        for name in _candidates(requested, devices):
            if name not in busy:
                return run_id, name
    return None


def _candidates(requested: str, devices: Sequence[str]) -> list[str]:
    if requested == "auto":
        # On a machine with several GPUs the queue spreads over them; it never spills over to another kind of device.
        return [name for name in devices if name.split(":")[0] == devices[0].split(":")[0]]
    if requested == "cuda":
        return [name for name in devices if name.startswith("cuda")] or ["cuda:0"]
    return [requested]  # a device that is not here fails later, in words
