"""The database behind the run store: how it is opened, read and written. SQLite in WAL mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, and_, create_engine, delete, event, insert
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.schema import Table

from cnn_demo.runs.records import StoreUnavailable

_BUSY_SECONDS = 20.0


class Database:
    """A pool of connections to one database; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = create_engine(
            URL.create("sqlite", database=str(path)), max_overflow=-1, connect_args={"timeout": _BUSY_SECONDS}
        )
        event.listen(self.engine, "connect", _set_up_sqlite)
        event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        with self._told(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection that holds the write lock; all is kept when the body ends, nothing when it raises.

        Raises:
            StoreUnavailable: the database cannot be written.
        """
        with self._told(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            # The other kinds (a broken constraint, a wrong statement) are faults of ours and stay what they are.
            if isinstance(error, OperationalError) or type(error) is DatabaseError:
                raise StoreUnavailable(self.path, str(error.orig)) from error
            raise

    def close(self) -> None:
        """Close the idle connections."""
        self.engine.dispose()


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may lose the last transactions of the log, never the file; checkpoints are synced by themselves.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # a lock that is asked for later can fail at once


def replace_row(connection: Connection, table: Table, **values: Any) -> None:
    """Insert a row in place of the one with the same primary key, on any database."""
    same = and_(*(column == values[column.name] for column in table.primary_key))
    connection.execute(delete(table).where(same))
    connection.execute(insert(table), values)
