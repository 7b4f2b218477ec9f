"""What there is to see of a drawing: the answer, and below it one of four closer looks."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cnn_demo.locales import N_
from cnn_demo.ui.draw import answer as answers_view
from cnn_demo.ui.draw import change, correct, readings, stages, why
from cnn_demo.ui.draw.networks import Network
from cnn_demo.ui.draw.pad import Picture
from cnn_demo.ui.draw.readings import Answer
from cnn_demo.ui.shared import state
from cnn_demo.ui.shared.i18n import _

_KEY = "draw:look"
TITLES: dict[str, str] = {
    "stages": N_("From drawing to tensor"),
    "why": N_("Why this answer"),
    "change": N_("What would change its mind"),
    "correct": N_("Correct the network"),
}


def show_reading(chosen: list[Network], picture: Picture) -> list[Answer]:
    """Read the picture and show the answer."""
    answers = readings.read_drawing(chosen, picture)
    answers_view.show_answers(answers)
    with st.popover(_("How sure is “sure”?"), type="tertiary", icon=":material/help:"):
        st.markdown(answers_view.basis(answers))
    return answers


def show_closer_look(answers: list[Answer], picture: Picture) -> None:
    """The closer look that is chosen."""
    _LOOKS[state.choose_view("look", _("A closer look"), TITLES, key=_KEY)](answers, picture)


_LOOKS: dict[str, Callable[[list[Answer], Picture], None]] = {
    "stages": stages.show_stages,
    "why": why.show_attribution,
    "change": change.show_changes,
    "correct": correct.show_correction,
}
