"""The runs beside the Train page: what there is, in which state, how good; a click chooses one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.runs.records import Run
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.summary import list_differences
from cnn_demo.ui.shared import names, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

PAGE = 12
_SHOWN = "runs:shown"
_MOST_TOLD = 3  # settings of a run


def show_run_list(store: Store, chosen: str | None) -> None:
    """The list, which follows the runs by itself while one of them is active."""
    active = store.any_active()
    st.fragment(_list, run_every=2.0 if active else None)(store, chosen, active)


def _list(store: Store, chosen: str | None, was_active: bool) -> None:
    if store.any_active() != was_active:
        st.rerun()  # sets or removes the timer
    shown = st.session_state.get(_SHOWN, PAGE)
    runs, count = store.list(limit=shown), store.count()  # no more than is shown: this runs every 2 s for each viewer
    moved = st.button(
        _("New run"),
        icon=":material/add:",
        width="stretch",
        key="runs:new",
        disabled=chosen is None,
        on_click=state.put,
        args=("run", None),
    )
    if not runs:
        st.caption(_("Runs appear here, the newest first. They stay when the page is closed."))
    for run in runs:
        moved |= _row(run, run.id == chosen)
    if count > shown:
        more = _("{n} more").format(n=count - shown)
        if st.button(more, key="runs:more", width="stretch", type="tertiary"):
            st.session_state[_SHOWN] = shown + PAGE
            st.rerun()
    if moved:
        st.rerun()  # the chosen run is shown outside this fragment


def _row(run: Run, chosen: bool) -> bool:
    with st.container(key=f"run-{'chosen' if chosen else 'row'}-{run.id}", gap=None):
        clicked = st.button(
            escape(run.title),
            key=f"open-run-{run.id}",
            type="tertiary",
            width="stretch",
            on_click=state.put,
            args=("run", run.id),
        )
        facts = [run.config.dataset] if run.name else []  # without a name the title says it
        if run.test_accuracy is not None and run.test_n:
            facts.append(names.accuracy_short(run.test_accuracy, run.test_n))
        if run.from_other_version:
            facts.append(_("made by another version"))
        if told := describe_changes(run):
            facts.append(escape(told))
        st.markdown(f"{names.state_badge(run.state.value)} :small[:gray[{' · '.join(facts)}]]")
    return clicked


def describe_changes(run: Run) -> str:
    """In what a run differs from the defaults, so that runs of one model differ by more than their numbers.

    Model and data set are in its title or beside it; at most :data:`_MOST_TOLD` settings are named.
    """
    found = list_differences(TrainConfig(), run.config)
    own = [d for d in found if d.setting.name not in ("dataset", "model", "device", "init") and d.second is not None]
    told = [names.describe_setting(d.setting, d.second) for d in own[:_MOST_TOLD]]
    return " · ".join([*told, "…"] if len(own) > _MOST_TOLD else told)
