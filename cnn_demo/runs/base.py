"""What all parts of the store share: its folder, its database, and how one run is found and changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, and_, bindparam, func, select, update

from cnn_demo.runs.database import Database
from cnn_demo.runs.home import runs_home
from cnn_demo.runs.migrations import prepare_tables
from cnn_demo.runs.records import Run, RunNotFound, RunState
from cnn_demo.runs.rows import encode_json, run_from_row
from cnn_demo.runs.tables import counters, epochs, runs

# Statements that are run at every poll are put together once.
_of_newer = epochs.alias()
_newest_epoch = select(func.max(_of_newer.c.epoch)).where(_of_newer.c.run == runs.c.id).scalar_subquery()
SELECT_RUNS = select(runs, epochs.c.metrics.label("last_epoch")).outerjoin_from(
    runs, epochs, and_(epochs.c.run == runs.c.id, epochs.c.epoch == _newest_epoch)
)
_select_run = SELECT_RUNS.where(runs.c.id == bindparam("id"))
_count_before = select(func.count()).where(runs.c.state == RunState.QUEUED.value, runs.c.place < bindparam("place"))
_next_change = update(counters).where(counters.c.name == "changes").values(value=counters.c.value + 1)
SELECT_CHANGES = select(counters.c.value).where(counters.c.name == "changes")


class StoreBase:
    """A folder with a database in it and a folder a run.

    Args:
        home: the folder; made when missing. Default: :func:`runs_home`.

    Raises:
        OSError: the folder cannot be made or written.
        StoreUnavailable: the database cannot be read, or a newer version of the program made it.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or runs_home()).resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.db = Database(self.home / "runs.sqlite")
        prepare_tables(self.db)

    def folder(self, run_id: str) -> Path:
        """Where the files of a run are."""
        return self.home / run_id

    def lock(self, run_id: str) -> FileLock:
        """The lock that a run's worker holds for life: the only trustworthy sign that it lives."""
        return FileLock(self.folder(run_id) / "worker.lock", timeout=0, thread_local=False)

    def _get(self, connection: Connection, run_id: str) -> Run:
        """The run as it was recorded, without a look whether its process lives."""
        row = connection.execute(_select_run, {"id": run_id}).mappings().first()
        if row is None:
            raise RunNotFound(run_id)
        before = 0
        if row["state"] == RunState.QUEUED.value:
            before = connection.execute(_count_before, {"place": row["place"]}).scalar_one()
        return run_from_row(row, row["last_epoch"], before + 1)

    def _count_change(self, connection: Connection) -> int:
        """Move the counter ``changes``; in a transaction this also makes other writers wait, on any database."""
        connection.execute(_next_change)
        return int(connection.execute(SELECT_CHANGES).scalar_one())

    def _change(self, connection: Connection, run_id: str, *where: Any, **values: Any) -> None:
        """Change columns of a run, which gets a new version. Tables of names and values become JSON."""
        plain = {name: encode_json(value) if isinstance(value, dict) else value for name, value in values.items()}
        plain["version"] = self._count_change(connection)
        connection.execute(update(runs).where(runs.c.id == run_id, *where).values(plain))

    def change_run(self, run_id: str, **values: Any) -> None:
        """Change columns of a run in a transaction of its own: what a worker reports."""
        with self.db.transaction() as connection:
            self._change(connection, run_id, **values)
