"""The blocks of the Start page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil
import streamlit as st

from cnn_demo.prediction.shipped import read_shipped_test
from cnn_demo.runs.records import Run
from cnn_demo.ui.shared import machine, names, navigation
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

SHOWN_RUNS = 6
TRAIN_PAGE = "pages/train/train.py"
_NAME_WIDTH = 240


def ways_in() -> None:
    """One card for each page that invites."""
    entries = navigation.ways_in()
    for column, entry in zip(st.columns(max(len(entries), 3), gap="medium"), entries, strict=False):
        with column.container(border=True, height="stretch"):
            st.markdown(f"##### {entry.icon} {_(entry.title)}", anchors=False)
            st.markdown(_(entry.invitation))
            st.page_link(entry.path, label=f"**{_(entry.action)}** →")


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


def trained(store: Store) -> None:
    """The model that ships and the newest runs, each with data set, n and accuracy."""
    shipped = read_shipped_test()
    runs, count = store.list(limit=SHOWN_RUNS), store.count()
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
    facts = [run.config.dataset, names.accuracy(run.test_accuracy, run.test_n), names.ago(time.time() - run.created)]
    with _row(run.id):
        st.page_link(TRAIN_PAGE, label=escape(run.title), query_params={"run": run.id}, width=_NAME_WIDTH)
        st.markdown(f"{names.state_badge(run.state.value)} :gray[{' · '.join(filter(None, facts))}]")
