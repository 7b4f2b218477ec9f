"""A comma that is typed into a field for numbers is a decimal point.

A browser whose language writes 0.01 drops the comma of ``0,01``, so that 001 remains, which is 1. No server can tell
that from a 1. So the keystroke and the paste are mended where they happen, in all fields for numbers of the page.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).resolve().parent

_listener = st.components.v2.component(
    "cnn_lab_decimal_comma",
    html="<span hidden></span>",
    js=(_FOLDER / "decimal_comma.js").read_text(encoding="utf-8"),
)


def accept_decimal_commas(key: str) -> None:
    """Let the fields for numbers on this page understand ``0,01``; nothing is to be seen.

    Args:
        key: of the component.
    """
    _listener(key=key, height=0)
