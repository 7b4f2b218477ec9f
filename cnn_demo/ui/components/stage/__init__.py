"""The stage of all lessons: arrays, windows that slide over them and the sums that grow, bars, curves, tables.

What draws arrays, marks windows and writes sums (``drawing.js``) is the same here, in the explorer of Feature maps and
in its overview.

The panels arrive in the browser as bytes (:func:`cnn_demo.lessons.packing.pack_rows`); pointing and playing need
nothing more. What changes a number, such as a painted cell, is reported as the state value ``change``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from cnn_demo.ui.shared.i18n import _

_FOLDER = Path(__file__).resolve().parent


def read_files(folder: Path, *names: str) -> str:
    """Plain JavaScript or CSS, one file after the other: a component is built without a build step."""
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


DRAWING_JS = read_files(_FOLDER, "elements.js", "drawing.js")
"""How arrays, windows and sums are drawn: the explorer of Feature maps and its overview are built on it too."""
NUMBERS_CSS = read_files(_FOLDER, "numbers.css")

_stage = st.components.v2.component(
    "cnn_lab_stage",
    html='<div class="lesson-stage"></div>',
    css=NUMBERS_CSS + read_files(_FOLDER, "stage.css"),
    js=DRAWING_JS + read_files(_FOLDER, "grid.js", "window.js", "charts.js", "stage.js"),
)


def show_stage(data: bytes, key: str, on_change: Callable[[], None]) -> None:
    """Show panels.

    Args:
        data: packed rows whose header also has ``id``, ``words`` and ``clicks``, the names of grids whose clicks are
            reported as a change of ``click`` to ``name,row,column``.
        key: of the component; ``st.session_state[key]["change"]`` has ``name`` and ``value``, both text.
        on_change: called when something was changed.
    """
    _stage(data=data, key=key, default={"change": None}, on_change_change=on_change)


def list_words() -> dict[str, Any]:
    """What the stage says, in the visitor's language; names in braces are filled in by the browser."""
    return {
        "picture": _("{title}: {h} × {w} numbers from {low} to {high}, mean {mean}"),
        "cell": _("Row {y}, column {x}"),
        "nonumber": _("“{text}” is no number between −99 and 99."),
        "pen": _("Pen"),
        "eraser": _("Eraser"),
        "empty": _("Empty"),
        "original": _("Back to the image"),
        "play": _("Slide the window over the image"),
        "pause": _("Pause"),
        "back": _("One place back"),
        "next": _("One place further"),
        "add": _("Add up term by term"),
        "place": _("Place of the window"),
        "at": _("row {y}, column {x}"),
        "patch": _("Window"),
        "kernel": _("Kernel"),
        "products": _("Products"),
        "sum": _("Sum"),
        "max": _("Largest"),
        "mean": _("Mean"),
        "after": _("{rule} after {n} of {all} terms:"),
        "bias": _("bias"),
    }
