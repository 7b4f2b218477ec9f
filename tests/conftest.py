"""Shared by all tests: a run store of their own, and runs in any state without training anything."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cnn_demo.datasets import files
from cnn_demo.runs.records import HOLDS_DEVICE, Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import StepMetrics
from tests.old_store import old_expected, old_home

__all__ = ["old_expected", "old_home"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``cuda`` are skipped where there is no GPU, and say so."""
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and there is none"))


@pytest.fixture(autouse=True)
def runs_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test ever sees or touches the runs of the person at this machine."""
    home = tmp_path / "runs-home"
    monkeypatch.setenv("CNN_DEMO_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def no_system_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that the person's distribution has installed is not there for a test."""
    for name, layout in files.LAYOUTS.items():
        monkeypatch.setitem(files.LAYOUTS, name, dataclasses.replace(layout, elsewhere=()))


@pytest.fixture
def store(runs_home: Path) -> Store:
    return Store(runs_home)


@pytest.fixture
def make_run(store: Store) -> Iterator[Callable[..., Run]]:
    """Put a run with a made-up history into the store; one that should be alive has its lock held for it."""
    locks: list[FileLock] = []

    def make(state: str = "finished", *, epochs: int = 3, steps_per_epoch: int = 20, **columns: Any) -> Run:
        config = columns.pop("config", None) or TrainConfig(epochs=max(epochs, 1))
        run = store.create(config, name=columns.pop("name", ""))
        if RunState(state) in HOLDS_DEVICE:
            lock = store.lock(run.id)
            lock.acquire()
            locks.append(lock)
        fill(store, run.id, state, epochs, steps_per_epoch, **columns)
        return store.get(run.id)

    yield make
    for lock in locks:
        lock.release()


def fill(store: Store, run_id: str, state: str, epochs: int, steps_per_epoch: int, **columns: Any) -> None:
    """Write what a worker would have written after ``epochs`` epochs of a run that learns well."""
    last = epochs * steps_per_epoch
    values: dict[str, Any] = {
        "state": state,
        "device": "cpu" if state != "queued" else "",
        "started": time.time() - 60,
        "ended": time.time() if RunState(state).ended else None,
        "step": last,
        "total_steps": store.get(run_id).config.epochs * steps_per_epoch,
        "epoch": float(epochs),
        "samples_per_second": 4321.0 if last else 0.0,
        "memory_bytes": 512 * 2**20,
        "train_seconds": epochs * 2.5,
        "parameters": 1_630_090,
        "train_n": 8000,
        **columns,
    }
    store.change_run(run_id, **values)
    made = [made_step(step, steps_per_epoch) for step in range(1, last + 1)]
    if made:
        store.add_steps(run_id, made)
    for epoch in range(1, epochs + 1):
        loss = 2.2 * math.exp(-1.5 * epoch) + 0.08
        metrics = {"lr": 1e-3, "seconds": 2.5, "samples_per_second": 4321.0}
        for split, n in (("train", 8000), ("test", 2000)):
            metrics |= {f"{split}_loss": loss, f"{split}_accuracy": 1 - loss / 3, f"{split}_n": n}
        store.add_epoch(run_id, epoch, epoch * steps_per_epoch, metrics, best=False)


def made_step(step: int, steps_per_epoch: int) -> StepMetrics:
    """A step of a run that learns well."""
    epoch = step / steps_per_epoch
    loss = 2.2 * math.exp(-1.5 * epoch) + 0.05 + 0.04 * math.sin(step * 1.7)
    return StepMetrics(step, epoch, loss, 1 - loss / 3, 128, 1e-3)
