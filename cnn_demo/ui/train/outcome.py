"""What a run that has ended came to: a word where it has not learnt, and the ways on from it."""

from __future__ import annotations

import streamlit as st

from cnn_demo.runs.records import Run
from cnn_demo.settings.config import SETTINGS
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _, sentence_gap

_AS_GUESSING = 2.0  # times the share that guessing gets right: below it a network has learnt nothing worth the name


def has_not_learnt(run: Run) -> bool:
    """Whether a run ended about where guessing would be, so that "finished" would be half the truth."""
    spec = names.spec(run.config.dataset)
    if spec is None or run.test_accuracy is None or not run.state.ended or run.epoch < 1:
        return False
    return run.test_accuracy < _AS_GUESSING / len(spec.classes)


def show_outcome(run: Run, rate: float) -> None:
    """A hint for a run that has not learnt.

    Args:
        run: the run.
        rate: its base learning rate at the end.
    """
    spec = names.spec(run.config.dataset)
    if not has_not_learnt(run) or spec is None or run.test_accuracy is None:
        return
    usual = SETTINGS["lr"].default
    words = _("It has not learnt: {accuracy} of {n} test images are right, and guessing gets {chance}.").format(
        accuracy=f"{run.test_accuracy:.2%}", n=f"{run.test_n or 0:,}", chance=f"{1 / len(spec.classes):.2%}"
    )
    if rate > usual:
        advice = _("Its learning rate of {rate} is most likely too high. Try {usual}, or let the range test find one.")
    elif rate < usual:
        advice = _("Its learning rate of {rate} may be too low for so few steps. Try {usual}, or more epochs.")
    else:
        advice = _("The loss says more: one that never falls asks for another learning rate or another architecture.")
    words += sentence_gap() + advice.format(rate=f"{rate:g}", usual=f"{usual:g}")
    st.warning(words, icon=":material/help:")


def show_ways_on(run: Run) -> None:
    """Where to go with the network of a run that has ended."""
    if not run.state.ended or not run.step or run.from_other_version:
        return
    for page, title, icon in (
        ("pages/draw/draw.py", _("Draw with it"), ":material/draw:"),
        ("pages/inspect/feature_maps.py", _("Look inside"), ":material/grid_view:"),
    ):
        st.page_link(page, label=title, icon=icon, query_params={"net": run.id}, width="content")
