"""The waiting line of the store: who is next, and who may start a worker for it."""

from __future__ import annotations

import time

from cnn_demo.runs.store import Store

_HEAD = "SELECT id, attempts FROM runs WHERE state = 'queued' AND owned = 0 ORDER BY queued LIMIT 1"


def count_queued(store: Store) -> int:
    """How many runs wait for a worker."""
    with store.db.read() as db:
        return int(db.execute("SELECT COUNT(*) FROM runs WHERE state = 'queued' AND owned = 0").fetchone()[0])


def fail_head(store: Store, kind: str, error: str, detail: str = "") -> None:
    """Fail the run at the head of the queue: no worker can be had for it."""
    with store.db.transaction() as db:
        head = db.execute(_HEAD).fetchone()
        if head:
            db.execute(
                "UPDATE runs SET state = 'failed', error = ?, error_kind = ?, error_detail = ?, ended = ?,"
                " attempts = 0, version = version + 1 WHERE id = ?",
                (error, kind, detail, time.time(), head["id"]),
            )


def count_attempt(store: Store) -> int:
    """Count another worker started for the head of the queue; 0 when the queue is empty."""
    with store.db.transaction() as db:
        head = db.execute(_HEAD).fetchone()
        if head is None:
            return 0
        db.execute("UPDATE runs SET attempts = attempts + 1 WHERE id = ?", (head["id"],))
        return int(head["attempts"]) + 1


def take_turn(store: Store, what: str, seconds: float) -> bool:
    """Whether the caller may do something that nobody else on this store has begun within the last ``seconds``."""
    now = time.time()
    with store.db.transaction() as db:
        row = db.execute("SELECT value FROM notes WHERE key = ?", (what,)).fetchone()
        if row and 0 <= now - row["value"] < seconds:
            return False
        db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (what, now))
        return True


def end_turn(store: Store, what: str) -> None:
    """Let the next caller of :func:`take_turn` go ahead."""
    with store.db.transaction() as db:
        db.execute("DELETE FROM notes WHERE key = ?", (what,))
