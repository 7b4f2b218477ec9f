"""How things are coloured on every page; the colours themselves are in :mod:`cnn_demo.palette`."""

from __future__ import annotations

from cnn_demo.palette import MARK_COLOUR, TEST_COLOUR, TRAIN_COLOUR, VAL_COLOUR

__all__ = ["MARK_COLOUR", "STATE_BADGES", "TEST_COLOUR", "TRAIN_COLOUR", "VAL_COLOUR"]

# Streamlit's badge colour for each state of a run, by its value.
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
