"""Calibrations made in the background, while the page shows raw probabilities."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from cnn_demo.prediction.calibration import Calibration
    from cnn_demo.prediction.load import LoadedModel


class Calibrations:
    """Calibrates networks in the background, one at a time, and keeps the result in a file."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="calibrate")
        self._running: dict[Path, Future[Calibration | None]] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, make: Callable[[], Calibration]) -> Calibration | None:
        """The calibration kept at ``path``; None while it is being made, or where it cannot be."""
        from cnn_demo.prediction.calibration import Calibration

        try:
            return Calibration.load(path)
        except (OSError, ValueError):
            pass
        with self._lock:
            future = self._running.get(path)
            if future is None:
                future = self._running[path] = self._pool.submit(_make_and_save, path, make)
                for done in [p for p, f in self._running.items() if f.done() and p != path][:-16]:
                    del self._running[done]
        return future.result() if future.done() else None

    def busy(self, path: Path) -> bool:
        """Whether one is being made for ``path``."""
        future = self._running.get(path)
        return future is not None and not future.done()


def _make_and_save(path: Path, make: Callable[[], Calibration]) -> Calibration | None:
    try:
        found = make()
    except Exception:  # a data set that is gone, a full disk: the page then says it is not calibrated
        return None
    with contextlib.suppress(OSError):  # the run was deleted meanwhile; the figures are good all the same
        found.save(path)
    return found


@st.cache_resource(show_spinner=False, max_entries=1)
def _calibrations() -> Calibrations:
    return Calibrations()


def get_calibration(loaded: LoadedModel) -> Calibration | None:
    """The calibration of a network; None until it is made, in the background, or where that is not possible."""
    from cnn_demo.prediction.calibration import calibrate_loaded, calibration_path

    return _calibrations().get(calibration_path(loaded), lambda: calibrate_loaded(loaded))


def is_calibrating(loaded: LoadedModel) -> bool:
    """Whether its calibration is being made just now."""
    from cnn_demo.prediction.calibration import calibration_path

    return _calibrations().busy(calibration_path(loaded))
