"""Workers that do not outlive their test, and disks that are soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cnn_demo.datasets.load import Dataset
from cnn_demo.runs.store import Store
from tests.unit.runs.processes import end_everything


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[None]:
    """Workers compute on one thread and leave after three idle seconds; at the end all are gone."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CNN_DEMO_STANDBY", "3")
    yield
    end_everything(store)


@pytest.fixture(scope="session")
def small_split() -> Dataset:
    from cnn_demo.datasets.load import load_dataset

    whole = load_dataset("mnist-mini")
    return Dataset(whole.spec, whole.train.take(np.arange(0, 8000, 20)), whole.test.take(np.arange(0, 2000, 20)))


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch, small_split: Dataset) -> None:
    """Runs in this process train on 400 images, test on 100, and look for requests before every step."""
    monkeypatch.setattr("cnn_demo.datasets.load.load_dataset", lambda *_, **__: small_split)
    monkeypatch.setattr("cnn_demo.runs.recorder.REQUEST_SECONDS", 0.0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Make a file system of so many MiB, and give its folder."""
    folder = tmp_path / "small-disk"

    def make(size: int) -> Path:
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(folder)]
        if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small file system cannot be mounted here (needs root)")
        return folder

    yield make
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
