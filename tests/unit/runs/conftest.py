"""Workers that do not outlive their test, and disks that are soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cnn_demo.runs.store import Store
from tests.unit.runs.processes import end_everything


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[None]:
    """Workers compute on one thread and leave after three idle seconds; at the end all are gone."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CNN_DEMO_STANDBY", "3")
    yield
    end_everything(store)


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
