"""A table of layers that one edits: kind and settings of each, order, and what they come to while one types.

Streamlit's own table adds rows at its end only, has the same columns for every row, and forgets the cursor when its
figures change. This one keeps the cursor: the browser holds what is typed, the page answers with the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).resolve().parent

_table = st.components.v2.component(
    "cnn_lab_layer_table",
    html='<div class="layers"></div>',
    css=(_FOLDER / "layer_table.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "layer_table.js").read_text(encoding="utf-8"),
)


def show_layer_table(data: dict[str, Any], key: str, on_edit: Callable[[], None]) -> None:
    """Show the table.

    Args:
        data: ``kinds`` (what can be chosen, with the settings of each), ``rows`` (kind and values), ``answers`` (the
            figures of each row, its problem and what would mend it), ``added`` (rows that cannot be edited), ``total``,
            ``words``, and ``echo``, the number of the last edit that this answers.
        key: of the component; ``st.session_state[key]["edit"]`` has ``n`` and ``rows`` after an edit.
        on_edit: called before the script runs again.
    """
    _table(data=data, key=key, default={"edit": None}, on_edit_change=on_edit)
