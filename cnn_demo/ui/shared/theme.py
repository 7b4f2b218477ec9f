"""How things are colored on every page; the colors themselves are in :mod:`cnn_demo.plots.palette`."""

from __future__ import annotations

from cnn_demo.plots.palette import MARK_COLOR, TEST_COLOR, TRAIN_COLOR, VAL_COLOR

__all__ = ["MARK_COLOR", "STATE_BADGES", "TEST_COLOR", "TRAIN_COLOR", "VAL_COLOR"]

# Streamlit's badge color for each state of a run, by its value.
STATE_BADGES: dict[str, str] = {
    "queued": "gray",
    "starting": "blue",
    "running": "blue",
    "paused": "orange",
    "stopping": "orange",
    "finished": "green",
    "stopped": "gray",
    "failed": "red",
    "crashed": "red",
}
