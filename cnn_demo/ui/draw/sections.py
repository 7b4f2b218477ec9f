"""What there is to see of a drawing: the answer, and below it one of a few closer looks."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cnn_demo.locales import N_
from cnn_demo.ui.draw import answer as answers_view
from cnn_demo.ui.draw import captions, change, correct, predictions, stages, why
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer
from cnn_demo.ui.shared import state, torch_loading, watched
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.picker import Network

_KEY, _SHOWN = "draw:look", "draw:shown"
TITLES: dict[str, str] = {
    "stages": N_("From drawing to tensor"),
    "why": N_("Why this answer"),
    "change": N_("What would change its mind"),
    "correct": N_("Correct the network"),
    "captions": N_("Captions"),
}


def show_prediction(chosen: list[Network], picture: Picture) -> None:
    """Ask the networks and show what they say; what can be looked at more closely is kept for the closer look."""
    st.session_state[_SHOWN] = None
    if not chosen:
        show_no_network()
        _offer_watching(picture)
        return
    if not torch_loading.torch_loaded():  # the pad does not wait for torch
        torch_loading.load_torch()
        return
    found = predictions.predict_picture(chosen, picture)
    answers_view.show_answers(found, picture)
    answers = [answer for answer in found if isinstance(answer, Answer)]
    with st.container(horizontal=True, key="draw-below-answer"):
        with st.popover(_("How sure is “sure”?"), type="tertiary", icon=":material/help:"):
            st.markdown(answers_view.describe_basis(answers))
        _offer_watching(picture)
    st.session_state[_SHOWN] = answers, picture


def _offer_watching(picture: Picture) -> None:
    """Have the next runs watch this drawing while they train, or no more."""
    if picture.image is None:
        return
    pinned = watched.is_pinned(picture.image)
    st.button(
        _("Watched while training") if pinned else _("Watch while training"),
        key="draw:watch",
        type="tertiary",
        icon=":material/visibility:" if pinned else ":material/visibility_off:",
        help=_("The runs that you start from now on show, beside their curves, what they make of this drawing."),
        on_click=watched.unpin_drawing if pinned else watched.pin_drawing,
        args=(picture.image,),
    )


def show_no_network() -> None:
    """There is no trained network on this machine yet: say so, and where to get one."""
    st.info(
        _("There is no trained network here yet. Draw all you like; train one to have it read."),
        icon=":material/neurology:",
    )
    st.page_link("pages/train/train.py", label=_("Train a network"), icon=":material/show_chart:")


def show_closer_look() -> None:
    """The closer look that is chosen at the answers on the page; captions are offered where a network reads them."""
    if st.session_state[_SHOWN] is None:
        return
    answers, picture = st.session_state[_SHOWN]
    titles = {look: title for look, title in TITLES.items() if look != "captions" or captions.reads_captions(answers)}
    _LOOKS[state.choose_view("look", _("A closer look"), titles, key=_KEY)](answers, picture)


_LOOKS: dict[str, Callable[[list[Answer], Picture], None]] = {
    "stages": stages.show_stages,
    "why": why.show_attribution,
    "change": change.show_changes,
    "correct": correct.show_correction,
    "captions": captions.show_captions,
}
