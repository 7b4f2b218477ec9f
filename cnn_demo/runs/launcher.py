"""Starts worker processes that outlive whoever started them, and keeps the queue moving. Imports no torch.

Three kinds of process work through the queue: workers, ``train`` on the command line, and a watchdog beside each of
them. The watchdog (``cnn_demo.runs.watchdog``) starts the next worker when its process has ended, however it ended, so
the queue moves on though nobody looks at a page.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from filelock import FileLock, Timeout

from cnn_demo.runs.home import read_log_tail
from cnn_demo.runs.records import Run, StoreUnavailable
from cnn_demo.settings.config import TrainConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnn_demo.runs.store import Store

# A worker that has not shown itself after this long will not come any more.
_GRACE_SECONDS = 20.0
_GATE_SECONDS = 10.0
_MAX_ATTEMPTS = 3
_LOG_BYTES = 1_000_000
TOOK_RUN = b"r"


def launch(
    store: Store,
    config: TrainConfig,
    token: str | None = None,
    name: str = "",
    watched: Sequence[NDArray[np.uint8]] = (),
) -> Run:
    """Queue a run and see to it that somebody takes it up. Returns at once.

    Args:
        store: the run store.
        config: what to train.
        token: names the request; the same token launches once however often it is said.
        name: for people.
        watched: drawings that the run is to watch: ``(H, W)`` or ``(H, W, 3 or 4)`` uint8, as they were drawn.
    """
    run = store.create(config, token=token, name=name, watched=watched)
    ensure_worker(store)
    return run


def warm(store: Store) -> None:
    """Have a worker ready that has imported torch already, unless a run needs the machine just now. Returns at once.

    Nothing happens where the store cannot be written: what there is can still be looked at.
    """
    with suppress(StoreUnavailable):
        if not store.any_training():
            ensure_worker(store, even_without_work=True)


def ensure_worker(store: Store, *, even_without_work: bool = False) -> bool:
    """Start a standby worker unless one is there or on its way.

    A worker that dies before it takes a run is replaced, but only so often: after three the run at the head of the
    queue is failed with the end of the worker's log, and the next run has its turn.

    Returns:
        Whether a process was started.
    """
    if not even_without_work and not store.count_queued():
        return False
    if standby_alive(store) or not store.take_turn("spawn", _GRACE_SECONDS):
        return False
    while (attempts := store.count_attempt()) > _MAX_ATTEMPTS:
        detail = read_log_tail(store.home / "worker.log")
        store.fail_head("import", "the training process died before it could start", detail)
    if not attempts and not even_without_work:
        forget_spawn(store)
        return False
    _spawn(store)
    return True


def hand_over(store: Store) -> None:
    """Keep the queue moving: record which workers have died, and start one for the runs that wait."""
    store.maintain()
    ensure_worker(store)


# -- the standby worker ------------------------------------------------------------------------------------------------


def take_standby_lock(store: Store) -> FileLock | None:
    """Become the standby worker: the lock that it holds while it waits, or None where there is a standby already."""
    lock = _standby_lock(store)
    with _gate(store):
        try:
            lock.acquire()
        except Timeout:
            return None
    return lock


def standby_alive(store: Store) -> bool:
    """Whether a worker is waiting for the next run."""
    with _gate(store):
        try:
            with _standby_lock(store):
                return False
        except Timeout:
            return True


def forget_spawn(store: Store) -> None:
    """Said by a worker that has taken a run, or leaves without one: the next may be started at once."""
    store.end_turn("spawn")


def _standby_lock(store: Store) -> FileLock:
    return FileLock(store.home / "standby.lock", timeout=0, thread_local=False)


@contextmanager
def _gate(store: Store) -> Iterator[None]:
    """Held by whoever touches the standby lock.

    To see whether somebody holds a lock one must take it for a moment. Without the gate a worker that comes in this
    moment would find the lock taken, believe that there is a standby already, and leave.
    """
    with FileLock(store.home / "standby.gate", timeout=_GATE_SECONDS, poll_interval=0.002):
        yield


# -- processes ---------------------------------------------------------------------------------------------------------


def _spawn(store: Store) -> None:
    path = _log(store)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    with path.open("ab") as log:
        log.write(f"--- worker started {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        log.flush()
        # The worker holds the pipe as its standard input. Its end, even by kill -9, is the end of the pipe.
        with _watchdog(store) as pipe:
            _start(["cnn_demo.runs.worker", "--home", str(store.home)], stdin=pipe, log=log)


@contextmanager
def watched(store: Store) -> Iterator[None]:
    """When this process leaves the block, or dies in it, a watchdog hands the queue over."""
    with _watchdog(store) as pipe:
        with suppress(OSError):  # it died at once: so be it
            pipe.write(TOOK_RUN)
        yield


@contextmanager
def _watchdog(store: Store) -> Iterator[IO[bytes]]:
    """Start a watchdog; it acts when nobody holds the pipe any more."""
    reading, writing = os.pipe()
    try:
        with _log(store).open("ab") as log:
            _start(["cnn_demo.runs.watchdog", str(store.home)], stdin=reading, log=log)
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    with open(writing, "wb", buffering=0) as pipe:
        yield pipe


def _start(module: list[str], stdin: int | IO[bytes], log: IO[bytes]) -> None:
    root = str(Path(__file__).resolve().parents[2])  # importable also where the package was not installed
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *(path for path in paths if path not in ("", root))])}
    # A session of its own: neither Ctrl-C nor the end of the server reaches it.
    child = subprocess.Popen(
        [sys.executable, "-m", *module],
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=env,
    )
    _children.append(child)
    _children[:] = [c for c in _children if c.poll() is None]  # reap the dead, so that none stays a zombie


_children: list[subprocess.Popen[bytes]] = []


def _log(store: Store) -> Path:
    return store.home / "worker.log"
