"""The SQLite file behind the run store: schema and connections.

The standard library's ``sqlite3`` is enough: five small tables, one writer a run, readers that never block it (WAL).
An object mapper would add a dependency and a second place where the schema lives.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BUSY_SECONDS = 20.0
_SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    token TEXT UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    config TEXT NOT NULL,
    device TEXT NOT NULL DEFAULT '',
    owned INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    queued REAL NOT NULL,
    started REAL,
    ended REAL,
    step INTEGER NOT NULL DEFAULT 0,
    total_steps INTEGER NOT NULL DEFAULT 0,
    epoch REAL NOT NULL DEFAULT 0,
    samples_per_second REAL NOT NULL DEFAULT 0,
    memory_bytes INTEGER NOT NULL DEFAULT 0,
    train_seconds REAL NOT NULL DEFAULT 0,
    parameters INTEGER NOT NULL DEFAULT 0,
    train_n INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    error_kind TEXT NOT NULL DEFAULT '',
    error_detail TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '{}',
    activity TEXT NOT NULL DEFAULT '{}',
    versions TEXT NOT NULL DEFAULT '{}',
    wish TEXT NOT NULL DEFAULT '',
    lr_wish REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1
);
-- The rule "one active run a device" is the database's, so no two processes can break it.
CREATE UNIQUE INDEX IF NOT EXISTS one_active_run_a_device ON runs(device)
    WHERE state IN ('starting', 'running', 'paused', 'stopping');
CREATE TABLE IF NOT EXISTS steps (
    run TEXT NOT NULL, step INTEGER NOT NULL, epoch REAL NOT NULL, loss REAL NOT NULL, accuracy REAL NOT NULL,
    n INTEGER NOT NULL, lr REAL NOT NULL, PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (
    run TEXT NOT NULL, epoch INTEGER NOT NULL, step INTEGER NOT NULL,
    train_loss REAL NOT NULL, train_accuracy REAL NOT NULL, train_n INTEGER NOT NULL,
    test_loss REAL NOT NULL, test_accuracy REAL NOT NULL, test_n INTEGER NOT NULL,
    val_loss REAL, val_accuracy REAL, val_n INTEGER,
    lr REAL NOT NULL, seconds REAL NOT NULL, samples_per_second REAL NOT NULL, best INTEGER NOT NULL,
    PRIMARY KEY (run, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
    run TEXT NOT NULL, step INTEGER NOT NULL, epoch REAL NOT NULL, kind TEXT NOT NULL, value REAL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS marks_of_run ON marks(run, step);
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL, step INTEGER NOT NULL, epoch REAL NOT NULL, folder TEXT NOT NULL, PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS speeds (
    key TEXT PRIMARY KEY, parameters INTEGER NOT NULL, samples_per_second REAL NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
"""


class Database:
    """A few reusable connections to one SQLite file; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        with self.transaction() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] < _SCHEMA_VERSION:
                for statement in _SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last transactions of the log, never the file; checkpoints are synced by themselves.
        db.execute("PRAGMA synchronous = NORMAL")
        return db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading."""
        with self._lock:
            db = self._idle.pop() if self._idle else None
        db = db or self._open()
        try:
            yield db
        except BaseException:
            db.close()
            raise
        with self._lock:
            self._idle.append(db)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection that holds the write lock; all is kept when the body ends, nothing when it raises."""
        with self.read() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for db in self._idle:
                db.close()
            self._idle.clear()
