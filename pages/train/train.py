"""Train: a form that launches a run, the runs there are, and one of them live."""

import streamlit as st

from cnn_demo.runs import launcher
from cnn_demo.runs.records import RunNotFound
from cnn_demo.ui.shared import layout, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape
from cnn_demo.ui.shared.store import get_store
from cnn_demo.ui.train import form, run_list, run_view

layout.page_header(
    _("Train"),
    _("Launch a run, watch its loss fall, come back any time: training goes on when this page is closed."),
    help=_(
        "A run lives in a process of its own. One run trains on a device at a time; further launches wait in a queue "
        "and start by themselves. The address of this page names the run you look at, so it can be sent to somebody."
    ),
)
store = get_store()
launcher.warm(store)  # a worker that imports torch while the visitor reads the form
chosen = state.get_or_go_back("run")
main, side = st.columns([7, 2], gap="large")
with side:
    run_list.show_run_list(store, chosen)
with main:
    try:
        run = store.get(chosen) if chosen else None
    except RunNotFound:
        run = None
        layout.not_found(_("There is no run {name} here.").format(name=f"**{escape(chosen or '')}**"))
    if run is None:
        form.show_form(store)
    else:
        run_view.show_run(store, run)
