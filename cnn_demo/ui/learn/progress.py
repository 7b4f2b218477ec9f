"""How many questions of each lesson were answered, kept in the visitor's browser: no account, nothing on the server."""

from __future__ import annotations

import streamlit as st

from cnn_demo.ui.components import browser_store

_KEY = "learn:progress"
_ITEM = "cnn-lab:lessons"
_MOST = 3


def load_progress() -> dict[str, int]:
    """Right answers by lesson, 0 to 3: what this browser keeps, and what was answered in this session."""
    kept = browser_store.exchange(_ITEM, st.session_state.get(_KEY, {}), key="learn:store")
    found: dict[str, int] = dict(st.session_state.get(_KEY, {}))
    for name, value in kept.items():
        if isinstance(name, str) and isinstance(value, int) and 0 <= value <= _MOST:
            found[name] = max(found.get(name, 0), value)
    st.session_state[_KEY] = found
    return found


def keep_progress(lesson: str, right: int) -> None:
    """Note that so many questions were answered right; it never becomes fewer."""
    found: dict[str, int] = st.session_state.setdefault(_KEY, {})
    if right > found.get(lesson, 0):
        found[lesson] = right
        st.session_state[_KEY] = found
