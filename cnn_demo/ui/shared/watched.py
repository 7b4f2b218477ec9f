"""The drawings that this visitor's next runs watch while they train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.runs.strip import MOST_DRAWINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PINNED = "watched:pinned"


def list_pinned() -> list[NDArray[np.uint8]]:
    """The pinned drawings, the newest first."""
    return list(st.session_state.get(_PINNED, []))


def pin_drawing(drawing: NDArray[np.uint8]) -> None:
    """Have the next runs watch a drawing; it comes first, and the oldest makes way where there are too many."""
    others = [pinned for pinned in list_pinned() if not _is_same(pinned, drawing)]
    st.session_state[_PINNED] = [drawing, *others][:MOST_DRAWINGS]


def unpin_drawing(drawing: NDArray[np.uint8]) -> None:
    """Have it watched no more by runs that are launched from now on."""
    st.session_state[_PINNED] = [pinned for pinned in list_pinned() if not _is_same(pinned, drawing)]


def is_pinned(drawing: NDArray[np.uint8]) -> bool:
    """Whether the next runs watch this drawing."""
    return any(_is_same(pinned, drawing) for pinned in list_pinned())


def _is_same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()
