"""The button, the progress, a stop; then what came out."""

from __future__ import annotations

import streamlit as st

from cnn_demo.runs.home import runs_home
from cnn_demo.ui.export import receipt_view
from cnn_demo.ui.export.export_process import ExportJob, ExportJobs, Wish
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

_EVERY = 0.5  # seconds between two looks
_FULL = "export:full"


@st.cache_resource(show_spinner=False)
def open_jobs(home: str) -> ExportJobs:
    """The exports of this server; ``home`` is the folder of the runs."""
    return ExportJobs(runs_home() / "exports")


def show_making(wish: Wish) -> None:
    """Everything below the selectors."""
    jobs = open_jobs(str(runs_home()))
    job, found = jobs.find(wish), jobs.load(wish)
    if job is not None and job.running:
        st.fragment(_watch, run_every=_EVERY)(job)
        return
    label = _("Make the files and check them") if wish.receipt else _("Make the files")
    if found is None:
        st.button(
            label, type="primary", icon=":material/inventory_2:", on_click=_start, args=[jobs, wish], key="export:make"
        )
    if st.session_state.pop(_FULL, False):
        st.warning(_("Too many exports wait on this server. Try again in a minute."), icon=":material/group:")
    if found is not None:
        receipt_view.show_result(found, wish.network)
    elif job is not None and job.stopped:
        st.info(_("Stopped; nothing was kept."), icon=":material/stop_circle:")
    elif job is not None:
        reason = escape(_(job.problem).format(**job.values) if job.problem else _("the process ended without a word"))
        st.error(_("The export failed: {reason}").format(reason=reason), icon=":material/error:")


def _start(jobs: ExportJobs, wish: Wish) -> None:
    if jobs.start(wish) is None:
        st.session_state[_FULL] = True


def _watch(job: ExportJob) -> None:
    if not job.running:
        st.rerun()
    names = [*job.wish.formats, *(["receipt"] if job.wish.receipt else [])]
    done = names.index(job.what) + job.part if job.what in names else 0.0
    if job.waiting:
        text = _("Waiting for another export on this server…")
    elif not job.what:
        text = _("Starting: loading PyTorch…")
    elif job.what == "receipt":
        text = _("Asking every file about the whole test split…")
    else:
        text = _("Making {format}…").format(format=receipt_view.title_of(job.what))
    st.progress(min(done / len(names), 1.0), text=text)
    st.button(_("Stop"), icon=":material/stop:", on_click=_stop, args=[job], key="export:stop")


def _stop(job: ExportJob) -> None:
    job.stop()
    job.wait(5)
