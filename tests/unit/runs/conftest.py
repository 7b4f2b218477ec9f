"""Tests that start workers: one thread each, and none outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

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
