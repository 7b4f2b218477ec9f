"""Watching real worker processes in a test: which there are, when a run gets where, and the end of all of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import psutil

from cnn_demo.runs import worker
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.training.events import Event

PATIENCE = 120.0


def workers(store: Store, module: str = "cnn_demo.runs.worker") -> list[psutil.Process]:
    """The live worker processes of a store (or its watchdogs)."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if module in line and str(store.home) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def wait_until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not reached: {what}"
        time.sleep(0.02)


def wait_for(store: Store, run_id: str, condition: Callable[[Run], bool]) -> Run:
    """Wait until a run is as wanted. Nobody looks after the queue meanwhile."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        run = store.get(run_id)
        if condition(run):
            return run
        time.sleep(0.02)
    raise AssertionError(f"not reached: {run}\n{(store.home / 'worker.log').read_text()[-2000:]}")


def train_here(store: Store, on_event: Callable[[Event], None] | None = None) -> Run:
    """Be the worker for the run at the head of the queue, in this process."""
    claimed = store.claim(["cpu"])
    assert claimed is not None
    run, lock = claimed
    try:
        return worker.execute(store, run, on_event)
    finally:
        lock.release()


def ended(run: Run) -> bool:
    return run.state.ended


def kill_workers(store: Store) -> None:
    """kill -9 for every worker; their watchdogs live."""
    for process in workers(store):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


def end_everything(store: Store) -> None:
    """After a test: no watchdog and no worker is left."""
    for module in ("cnn_demo.runs.watchdog", "cnn_demo.runs.worker"):
        for process in workers(store, module):
            process.kill()
