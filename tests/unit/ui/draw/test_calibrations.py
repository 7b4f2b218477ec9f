"""Calibrations are made in the background, once, and kept in a file."""

from __future__ import annotations

import threading
from pathlib import Path

from cnn_demo.prediction.calibration import Calibration
from cnn_demo.ui.draw.calibrations import Calibrations

MADE = Calibration(1.5, -1.0, 100, 0.02)


def finish(calibrations: Calibrations, path: Path) -> None:
    calibrations._running[path].result(30)


def test_one_is_made_once_and_then_read_from_its_file(tmp_path: Path) -> None:
    calibrations, gate, calls = Calibrations(), threading.Event(), []

    def make() -> Calibration:
        calls.append(1)
        gate.wait(30)
        return MADE

    path = tmp_path / "calibration.json"
    assert calibrations.get(path, make) is None
    assert calibrations.get(path, make) is None
    assert calibrations.busy(path)
    gate.set()
    finish(calibrations, path)
    assert not calibrations.busy(path)
    assert calibrations.get(path, make) == MADE
    assert Calibrations().get(path, make) == MADE
    assert len(calls) == 1


def test_one_that_cannot_be_made_or_kept_breaks_nothing(tmp_path: Path) -> None:
    calibrations = Calibrations()

    def fail() -> Calibration:
        raise OSError("the data set is gone")

    assert calibrations.get(tmp_path / "a.json", fail) is None
    finish(calibrations, tmp_path / "a.json")
    assert calibrations.get(tmp_path / "a.json", fail) is None
    nowhere = tmp_path / "deleted run" / "b.json"
    calibrations.get(nowhere, lambda: MADE)
    finish(calibrations, nowhere)
    assert calibrations.get(nowhere, lambda: MADE) == MADE
    assert not nowhere.exists()
