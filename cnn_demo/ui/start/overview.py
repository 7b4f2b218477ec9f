"""The blocks of the Start page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psutil
import streamlit as st

from cnn_demo.prediction.shipped import read_shipped_test
from cnn_demo.runs.records import Run
from cnn_demo.ui.shared import machine, names
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape
from cnn_demo.ui.start import own_runs, steps

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

SHOWN_RUNS = 6
TRAIN_PAGE = "pages/train/train.py"
_NAME_WIDTH = 240


def machine_facts() -> None:
    """Devices, memory and versions; looks again by itself until the devices are known."""
    probe = machine.probe()
    st.fragment(_machine, run_every=0.5 if probe.answer is None else None)(probe.answer is None)


def _machine(looking: bool) -> None:
    answer = machine.probe().answer
    if looking and answer is not None:
        st.rerun()  # the whole page once, without the timer
    memory = psutil.virtual_memory()
    left, middle, right = st.columns(3, gap="medium")
    with left:
        st.caption(_("Devices"))
        if answer is None:
            st.markdown(_("looking…"))
        elif answer.problem:
            st.markdown(_("could not be found out: {problem}").format(problem=f"`{answer.problem}`"))
        for device in answer.devices if answer else ():
            size = f" · {names.size(device.memory_bytes)}" if device.name != "cpu" and device.memory_bytes else ""
            st.markdown(f"**{device.name}** · {device.title}{size}")
    with middle:
        st.caption(_("Memory"))
        free, total = names.size(memory.available), names.size(memory.total)
        st.markdown(_("{free} free of {total}").format(free=free, total=total))
    with right:
        st.caption(_("Versions"))
        st.markdown(" · ".join(f"{name} {number}" for name, number in machine.versions().items()))


def show_own_networks(own: Sequence[Run]) -> None:
    """The visitor's own networks, the newest first; a click goes back to one."""
    with st.container(border=True, gap="xxsmall"):
        for place, run in enumerate(own):
            with _row(run.id):
                if not place:
                    st.markdown(f"**{escape(run.title)}**", width=_NAME_WIDTH)
                else:
                    st.button(
                        escape(run.title),
                        key=f"first-own:{run.id}",
                        type="tertiary",
                        width=_NAME_WIDTH,
                        on_click=_show_again,
                        args=(run.id,),
                        help=_("Show this one above again"),
                    )
                _facts(run)
                st.page_link(TRAIN_PAGE, label=_("All about it"), query_params={"run": run.id}, width="content")
    st.button(
        _("Begin anew"),
        key="first-anew",
        type="tertiary",
        icon=":material/restart_alt:",
        on_click=_begin_anew,
        help=_("Back to an untrained network. Nothing is deleted."),
    )


def _show_again(run_id: str) -> None:
    own_runs.remember_run(run_id)
    steps.ask_to_scroll_up()


def _begin_anew() -> None:
    own_runs.begin_anew()
    steps.ask_to_scroll_up()


def show_trained(store: Store, own: Sequence[Run]) -> None:
    """The model that ships and the newest runs but the visitor's own, each with data set, n and accuracy."""
    shipped = read_shipped_test()
    known = {run.id for run in own}
    runs = [run for run in store.list(limit=SHOWN_RUNS + len(own)) if run.id not in known][:SHOWN_RUNS]
    count = store.count() - len(own)
    if not runs and not shipped:
        st.markdown(_("Nothing yet. The quick look on the Train page takes less than a minute."))
        return
    with st.container(border=True, gap="xxsmall"):
        if shipped:
            accuracy = names.accuracy(shipped.accuracy, shipped.n)
            with _row("shipped"):
                st.markdown(_("**Ships with the app**"), width=_NAME_WIDTH)
                ready = _("ready")
                st.markdown(f":green-badge[{ready}] :gray[{shipped.dataset} · {accuracy}]")
        for run in runs:
            _run(run)
    if count > SHOWN_RUNS:
        st.caption(_("{n} more on the Train page.").format(n=count - SHOWN_RUNS))


def _row(key: str) -> Any:
    return st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"start-row-{key}")


def _run(run: Run) -> None:
    with _row(run.id):
        st.page_link(TRAIN_PAGE, label=escape(run.title), query_params={"run": run.id}, width=_NAME_WIDTH)
        _facts(run)


def _facts(run: Run) -> None:
    facts = [run.config.dataset, names.accuracy(run.test_accuracy, run.test_n), names.ago(time.time() - run.created)]
    st.markdown(f"{names.state_badge(run.state.value)} :gray[{' · '.join(filter(None, facts))}]")
