"""A small table that stays in the visitor's browser (localStorage): read once, written when it grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).resolve().parent

_store = st.components.v2.component(
    "cnn_lab_browser_store",
    html='<span class="store" hidden></span>',
    js=(_FOLDER / "browser_store.js").read_text(encoding="utf-8"),
)


def exchange(item: str, table: dict[str, Any], key: str) -> dict[str, Any]:
    """Keep a table of whole numbers in the browser and get what it had before; empty until the browser has answered.

    Args:
        item: the name in the browser.
        table: what is known here; for each name the larger number stays.
        key: of the component.
    """
    _store(data={"item": item, "table": table}, key=key, default={"kept": None}, on_kept_change=lambda: None, height=1)
    sent = st.session_state.get(key)
    kept = sent.get("kept") if isinstance(sent, dict) else None
    return kept if isinstance(kept, dict) else {}
