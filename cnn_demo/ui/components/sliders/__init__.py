"""Sliders that report while they are dragged.

Streamlit's own slider reports its value on release. These report it at every move, but never before the page has
answered the move before: a slow server is asked less often, not flooded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).resolve().parent

_sliders = st.components.v2.component(
    "cnn_lab_sliders",
    html='<div class="sliders"></div>',
    css=(_FOLDER / "sliders.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "sliders.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class Slider:
    """One slider.

    Attributes:
        name: of its value.
        label: for people.
        low, high: the ends, inclusive.
        step: between neighboring values.
        rest: where it stands before anybody moves it.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    rest: float


def show_live_sliders(
    sliders: Sequence[Slider], values: dict[str, float], reset: str, key: str, on_move: Callable[[], None]
) -> None:
    """Show sliders and a button that puts all of them to rest.

    Args:
        sliders: from top to bottom.
        values: what they are at; the browser learns from it that a move has been answered.
        reset: the words of the button.
        key: of the component; ``st.session_state[key]["values"]`` has the values after a move.
        on_move: called before the script runs again.
    """
    data = {"sliders": [asdict(slider) for slider in sliders], "values": values, "reset": reset}
    _sliders(data=data, key=key, default={"values": None}, on_values_change=on_move)


def clamp_values(sliders: Sequence[Slider], values: object) -> dict[str, float]:
    """Check what a browser sent: each slider's value within its ends; at rest where there is none."""
    sent = values if isinstance(values, dict) else {}
    found = {}
    for slider in sliders:
        value = sent.get(slider.name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
        found[slider.name] = min(max(float(value), slider.low), slider.high) if number else slider.rest  # type: ignore[arg-type]
    return found
