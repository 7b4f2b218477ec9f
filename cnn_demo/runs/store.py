"""The run store: what was trained, what is training, what is waiting. Shared by the app, the command line and the
workers.

Reading never writes: a run whose process is gone is shown as crashed, and :meth:`Store.maintain`, which writers call,
records it. No torch here: a page reads the store long before torch is loaded.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import errno
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from cnn_demo.locales import N_
from cnn_demo.runs.base import SELECT_CHANGES, SELECT_RUNS
from cnn_demo.runs.home import read_log_tail
from cnn_demo.runs.metrics import MetricsPart
from cnn_demo.runs.queue import QueuePart
from cnn_demo.runs.records import (
    ACTIVE,
    HOLDS_DEVICE,
    Requests,
    Run,
    RunBusy,
    RunNotFound,
    RunNotResumable,
    RunState,
    StoreUnavailable,
)
from cnn_demo.runs.rows import encode_json, run_from_row
from cnn_demo.runs.strip import keep_drawings
from cnn_demo.runs.tables import checkpoints, epochs, marks, runs, step_blocks
from cnn_demo.settings.config import ConfigError, TrainConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that can be mistaken for another when read aloud
_TRASH = ".deleted-"  # begins the name of a run's folder from the moment on in which it is deleted
_QUEUED = RunState.QUEUED.value
_ACTIVE = frozenset(state.value for state in ACTIVE)
_HOLDING = frozenset(state.value for state in HOLDS_DEVICE)

_select_list = SELECT_RUNS.order_by(runs.c.number.desc()).limit(bindparam("limit")).offset(bindparam("offset"))
_select_version = select(runs.c.version).where(runs.c.id == bindparam("id"))
_select_requests = select(runs.c.state, runs.c.request, runs.c.lr_request).where(runs.c.id == bindparam("id"))
_needs_process = or_(runs.c.state.in_(sorted(_HOLDING)), (runs.c.state == _QUEUED) & runs.c.owned)
_select_with_process = SELECT_RUNS.where(_needs_process)
_any_queued = select(runs.c.id).where(runs.c.state == _QUEUED, ~runs.c.owned).limit(1)
_EVERYTHING = 2**62


class Store(MetricsPart, QueuePart):
    """All runs under one folder: a row and a folder each.

    Args:
        home: the folder; made when missing. Default: :func:`runs_home`.

    Raises:
        OSError: the folder cannot be made or written.
        StoreUnavailable: the database cannot be used. So does every method where it cannot be read (or written).
    """

    # -- making and finding ------------------------------------------------------------------------------------------

    def create(
        self,
        config: TrainConfig,
        *,
        token: str | None = None,
        name: str = "",
        owned: bool = False,
        run_id: str = "",
        watched: Sequence[NDArray[np.uint8]] = (),
    ) -> Run:
        """Put a new run into the queue.

        Args:
            config: what to train.
            token: names the click: a second call with the same token returns the first call's run, so a double click
                launches once.
            name: for people; may be empty.
            owned: the caller will run it itself (the command line does); workers leave it alone.
            run_id: an id from :meth:`new_id`; by default a new one.
            watched: drawings that the run is to watch, see :func:`cnn_demo.runs.strip.keep_drawings`.

        Raises:
            ValueError: a drawing that is none.
        """
        with self.db.transaction() as connection:
            change = self._count_change(connection)
            if token is not None:
                known = connection.execute(select(runs.c.id).where(runs.c.token == token)).scalar()
                if known is not None:
                    return self._get(connection, known)
            run_id = run_id or self.new_id()
            self.folder(run_id).mkdir(parents=True, exist_ok=True)
            if watched:
                keep_drawings(self.folder(run_id), watched)
            values = {
                "id": run_id,
                "token": token,
                "name": name,
                "state": _QUEUED,
                "config": encode_json(config.to_dict()),
                "requested_device": config.device,
                "owned": owned,
                "created": time.time(),
                "place": change,
                "version": change,
            }
            connection.execute(insert(runs), values)
            return self._get(connection, run_id)

    @staticmethod
    def new_id() -> str:
        """A fresh run id of eight letters and digits."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(8))

    def get(self, run_id: str) -> Run:
        """One run, as it is now: a run whose process is gone is crashed.

        Raises:
            RunNotFound: no such run.
        """
        with self.db.read() as connection:
            run = self._get(connection, run_id)
        return self._as_it_is(run)

    def list(self, limit: int | None = None, offset: int = 0) -> list[Run]:
        """Runs, the newest first, as they are now.

        Args:
            limit: how many at most; None for all.
            offset: how many of the newest to leave out.
        """
        page = {"limit": _EVERYTHING if limit is None else limit, "offset": offset}
        with self.db.read() as connection:
            rows = connection.execute(_select_list, page).mappings().all()
            queued = [row["place"] for row in rows if row["state"] == _QUEUED]
            positions: dict[int, int] = {}
            if queued:
                of_queued = (runs.c.state == _QUEUED, runs.c.place >= min(queued))
                after = select(runs.c.place).where(*of_queued).order_by(runs.c.place)
                before = select(func.count()).where(runs.c.state == _QUEUED, runs.c.place < min(queued))
                first = connection.execute(before).scalar_one() + 1
                positions = {place: first + i for i, place in enumerate(connection.execute(after).scalars())}
        return [self._as_it_is(run_from_row(row, row["last_epoch"], positions.get(row["place"], 0))) for row in rows]

    def count(self) -> int:
        """How many runs there are."""
        with self.db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(runs)).scalar_one())

    def is_active(self, run_id: str) -> bool:
        """Whether a run waits for a device or trains.

        Raises:
            RunNotFound: no such run.
        """
        return self.get(run_id).state.active

    def any_active(self) -> bool:
        """Whether any run waits for a device or trains."""
        return self.any_training() or self._any_queued()

    def any_training(self) -> bool:
        """Whether any run holds a device (or, on a command line, waits for one)."""
        return any(not run.state.ended for run in map(self._as_it_is, self._with_process()))

    def _any_queued(self) -> bool:
        with self.db.read() as connection:
            return connection.execute(_any_queued).first() is not None

    def version(self, run_id: str | None = None) -> int:
        """A number that changes whenever the run (or, without an id, any run) changes. 0 when there is no such run.

        A process that dies changes nothing by itself; :meth:`maintain` does, which records it.
        """
        with self.db.read() as connection:
            if run_id is None:
                return int(connection.execute(SELECT_CHANGES).scalar_one())
            return int(connection.execute(_select_version, {"id": run_id}).scalar() or 0)

    # -- life and death ----------------------------------------------------------------------------------------------

    def _with_process(self) -> builtins.list[Run]:
        """The runs that a living process should be behind, as recorded."""
        with self.db.read() as connection:
            rows = connection.execute(_select_with_process).mappings().all()
        return [run_from_row(row, row["last_epoch"]) for row in rows]

    def _as_it_is(self, run: Run) -> Run:
        """The run as recorded or, where its process is gone, as :meth:`maintain` will record it."""
        if run.state not in HOLDS_DEVICE and not (run.state is RunState.QUEUED and run.owned):
            return run
        if self.folder(run.id).is_dir():
            try:
                with self.lock(run.id):
                    pass
            except (Timeout, OSError):
                return run  # its process lives, as far as anybody can tell
        # Nobody holds the lock, so what the row says now is final, unless somebody took the run up meanwhile.
        with self.db.read() as connection:
            try:
                now = self._get(connection, run.id)
            except RunNotFound:
                return run
        return dataclasses.replace(now, **self._crash(run.id)) if now.version == run.version else now

    def _crash(self, run_id: str) -> dict[str, Any]:
        """What a run is whose process is gone."""
        kind, error = "killed", "the training process died without a word"
        if not self.folder(run_id).is_dir():
            kind, error = "folder_missing", f"the folder of run {run_id} was deleted while it ran"
        detail = read_log_tail(self.folder(run_id) / "worker.log")
        found = {"error": error, "error_kind": kind, "error_detail": detail, "activity": {}, "owned": False}
        return {"state": RunState.CRASHED, "queue_position": 0, **found}

    def maintain(self) -> None:
        """Record what readers only see: runs whose process is gone; and end deletions that were interrupted.

        For those who write anyway: workers, the launcher, commands.
        """
        for run in self._with_process():
            self._record_crash(run)
        for trash in self.home.glob(f"{_TRASH}*"):
            with self.db.transaction() as connection:
                self._delete_rows(connection, trash.name.removeprefix(_TRASH))
            shutil.rmtree(trash, ignore_errors=True)

    def _record_crash(self, seen: Run) -> None:
        crashed = self._as_it_is(seen)
        if crashed.state is not RunState.CRASHED or seen.state is RunState.CRASHED:
            return
        with contextlib.ExitStack() as held:
            if self.folder(seen.id).is_dir():
                try:
                    held.enter_context(self.lock(seen.id))  # nobody can take the run up while this is written
                except (Timeout, OSError):
                    return
            with self.db.transaction() as connection:
                if self._get(connection, seen.id).version != seen.version:
                    return  # it ended, or was taken up again, between our two looks
                values = {"state": RunState.CRASHED.value, "ended": time.time(), "request": "", "owned": False}
                told = {name: getattr(crashed, name) for name in ("error", "error_kind", "error_detail", "activity")}
                self._change(connection, seen.id, **values, **told)
                self._mark(connection, seen.id, "crash", seen.step, seen.epoch)

    # -- requests ----------------------------------------------------------------------------------------------------

    def pause(self, run_id: str) -> Run:
        """Ask a running run to wait. Nothing happens to a run that is not running.

        Raises:
            RunNotFound: no such run.
        """
        self.maintain()
        with self.db.transaction() as connection:
            if self._get(connection, run_id).state.can_pause:
                self._change(connection, run_id, request="pause")
            return self._get(connection, run_id)

    def stop(self, run_id: str) -> Run:
        """Ask an active run to end after the batch in progress; one that waits in the queue ends at once.

        Raises:
            RunNotFound: no such run.
        """
        self.maintain()
        with self.db.transaction() as connection:
            run = self._get(connection, run_id)
            if run.state is RunState.QUEUED:
                self._change(connection, run_id, state=RunState.STOPPED.value, ended=time.time())
            elif run.state in HOLDS_DEVICE:
                self._change(connection, run_id, state=RunState.STOPPING.value, request="stop")
            return self._get(connection, run_id)

    def resume(self, run_id: str) -> Run:
        """Let a paused run go on, or queue a stopped, failed or crashed one again, to go on from its last checkpoint.

        Raises:
            RunNotFound: no such run.
            RunNotResumable: it is finished, or another version of the program made it.
        """
        self.maintain()
        with self.db.transaction() as connection:
            run = self._get(connection, run_id)
            if run.state is RunState.FINISHED or (run.state.resumable and run.from_other_version):
                raise RunNotResumable(run)
            if run.state.resumable:
                cleared = {"error": "", "error_kind": "", "error_detail": "", "hint": {}, "request": ""}
                queued = {"state": _QUEUED, "device": "", "ended": None, "owned": False}
                self._change(connection, run_id, place=self._count_change(connection), **queued, **cleared)
            elif run.state.can_pause or run.state is RunState.PAUSED:
                self._change(connection, run_id, request="")
            return self._get(connection, run_id)

    def set_lr(self, run_id: str, lr: float) -> Run:
        """Ask for another base learning rate from the next step on; it is marked on the curve.

        Raises:
            RunNotFound: no such run.
            ConfigError: not a number above 0 and at most 10.
        """
        TrainConfig(lr=lr)
        self.maintain()
        with self.db.transaction() as connection:
            if self._get(connection, run_id).state.active:
                self._change(connection, run_id, lr_request=lr)
            return self._get(connection, run_id)

    def take_requests(self, run_id: str) -> Requests | None:
        """What is asked of a run; None when it ended or was deleted. A learning rate is asked for once."""
        with self.db.read() as connection:
            row = connection.execute(_select_requests, {"id": run_id}).first()
        if row is None or row.state not in _ACTIVE:
            return None
        if row.lr_request is not None:
            with self.db.transaction() as connection:
                self._change(connection, run_id, runs.c.lr_request == row.lr_request, lr_request=None)
        return Requests(row.request, row.lr_request)

    def set_state(self, run_id: str, state: RunState) -> None:
        """Move to ``running`` or ``paused``; a run that is asked to stop stays ``stopping``."""
        with self.db.transaction() as connection:
            not_asked = runs.c.state.in_(sorted(_HOLDING - {RunState.STOPPING.value}))
            self._change(connection, run_id, not_asked, state=state.value)

    def rename(self, run_id: str, name: str) -> Run:
        """Give a run a name for people; an empty one takes it away.

        Raises:
            RunNotFound: no such run.
            ConfigError: longer than 80 characters.
        """
        name = " ".join(name.split())
        if len(name) > 80:
            raise ConfigError("name", name, N_("at most {n} characters"), n=80)
        with self.db.transaction() as connection:
            self._get(connection, run_id)
            self._change(connection, run_id, name=name)
            return self._get(connection, run_id)

    # -- deleting ----------------------------------------------------------------------------------------------------

    def delete(self, run_id: str) -> None:
        """Delete a run with its files. The files go first, by rename, which also works on a full disk.

        Raises:
            RunNotFound: no such run.
            RunBusy: it is active.
            StoreUnavailable: the database cannot be written. The run stays; on a full disk its files are gone.
        """
        self.maintain()
        trash = self.home / f"{_TRASH}{run_id}"
        try:
            self._move_and_forget(run_id, trash)
        except StoreUnavailable as error:
            if error.errno != errno.ENOSPC:
                with contextlib.suppress(FileNotFoundError):
                    trash.rename(self.folder(run_id))
                raise
            shutil.rmtree(trash, ignore_errors=True)  # makes room for the database
            self._move_and_forget(run_id, trash)
        shutil.rmtree(trash, ignore_errors=True)
        self._curve_sums.forget(run_id)

    def _move_and_forget(self, run_id: str, trash: Path) -> None:
        with self.db.transaction() as connection:
            run = self._get(connection, run_id)
            if run.state.active:
                raise RunBusy(run)
            with contextlib.suppress(FileNotFoundError):
                self.folder(run_id).rename(trash)
            self._delete_rows(connection, run_id)

    def _delete_rows(self, connection: Connection, run_id: str) -> None:
        for table in (step_blocks, epochs, marks, checkpoints):
            connection.execute(delete(table).where(table.c.run == run_id))
        connection.execute(delete(runs).where(runs.c.id == run_id))
        self._count_change(connection)
