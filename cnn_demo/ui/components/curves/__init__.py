"""Curves of a run: lines over epochs, steps or time, drawn in the browser.

Streamlit's own charts are made anew by each poll: the figures under a resting pointer vanish, a line that was hidden
comes back, a zoom is lost. Here all of that stays while points arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).resolve().parent

_curves = st.components.v2.component(
    "cnn_lab_curves",
    html='<div class="curves"></div>',
    css=(_FOLDER / "curves.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "curves.js").read_text(encoding="utf-8"),
)


def draw_curves(chart: Mapping[str, Any], key: str) -> None:
    """Draw a chart.

    Args:
        chart: what :mod:`cnn_demo.ui.shared.charts` makes.
        key: of the element. Charts with one ``group`` share their pointer and their zoom.
    """
    _curves(data=chart, key=key)
