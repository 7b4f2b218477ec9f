"""Starts worker processes that outlive whoever started them. Imports no torch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from cnn_demo.runs import queue
from cnn_demo.runs.records import HOLDS_DEVICE, Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig

# A worker that has not shown itself after this long will not come any more.
_GRACE_SECONDS = 20.0
_MAX_ATTEMPTS = 3
_LOG_BYTES = 1_000_000


def launch(store: Store, config: TrainConfig, token: str | None = None, name: str = "") -> Run:
    """Queue a run and see to it that somebody takes it up. Returns at once.

    Args:
        store: the run store.
        config: what to train.
        token: names the wish; the same token launches once however often it is said.
        name: for people.
    """
    run = store.create(config, token=token, name=name)
    ensure_worker(store)
    return run


def warm(store: Store) -> None:
    """Have a worker ready that has imported torch already, unless a run needs the machine just now. Returns at once."""
    if not any(run.state in HOLDS_DEVICE for run in store.list()):
        ensure_worker(store, even_without_work=True)


def ensure_worker(store: Store, *, even_without_work: bool = False) -> bool:
    """Start a standby worker unless one is there or on its way.

    A worker that dies before it takes a run is replaced, but not for ever: after three the run at the head of the
    queue is failed with the end of the worker's log.

    Returns:
        Whether a process was started.
    """
    if not even_without_work and not queue.count_queued(store):
        return False
    if standby_alive(store) or not queue.take_turn(store, "spawn", _GRACE_SECONDS):
        return False
    if queue.count_attempt(store) > _MAX_ATTEMPTS:
        detail = _tail(store.home / "worker.log")
        queue.fail_head(store, "import", "the training process died before it could start", detail)
        return False
    _spawn(store)
    return True


def standby_lock(store: Store) -> FileLock:
    """The lock that the standby worker holds while it waits."""
    return FileLock(store.home / "standby.lock", timeout=0, thread_local=False)


def standby_alive(store: Store) -> bool:
    """Whether a worker is waiting for the next run."""
    try:
        with standby_lock(store):
            return False
    except Timeout:
        return True


def forget_spawn(store: Store) -> None:
    """Said by a worker that has taken a run: the next may be started at once."""
    queue.end_turn(store, "spawn")


def _spawn(store: Store) -> None:
    path = store.home / "worker.log"
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    root = Path(__file__).resolve().parents[2]  # importable also where the package was not installed
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "cnn_demo.runs.worker", "--home", str(store.home)]
    with path.open("ab") as log:
        log.write(f"--- worker started {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        log.flush()
        # A session of its own: neither Ctrl-C nor the end of the server reaches it.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=env,
        )
    _children.append(child)
    _children[:] = [c for c in _children if c.poll() is None]  # reap the dead, so that none stays a zombie


_children: list[subprocess.Popen[bytes]] = []


def _tail(path: Path, size: int = 4000) -> str:
    try:
        return path.read_bytes()[-size:].decode("utf-8", "replace")
    except OSError:
        return ""
