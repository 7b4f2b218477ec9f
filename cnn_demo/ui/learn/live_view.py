"""A training to watch inside a lesson: a button, the panels as they grow, a stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.lessons.controls import Values
    from cnn_demo.lessons.lesson import Lesson, Live, Subject
    from cnn_demo.lessons.live_jobs import LiveJob, LiveJobs
    from cnn_demo.lessons.panels import Panel

    ShowRows = Callable[[Lesson, str, Sequence[Sequence[Panel]], Sequence[str]], tuple[str, int, int] | None]

_EVERY = 0.5  # seconds between two looks


@st.cache_resource(show_spinner=False)
def _open_jobs() -> LiveJobs:
    from cnn_demo.lessons.live_jobs import LiveJobs

    return LiveJobs()


def show_live(lesson: Lesson, live: Live, subject: Subject, values: Values, show_rows: ShowRows) -> None:
    """The button, and what the training of these very settings has shown so far."""
    key, jobs = f"learn:live:{lesson.name}", _open_jobs()
    settings = _name_settings(live, subject, values)
    job: LiveJob | None = st.session_state.get(key)
    if job is not None and st.session_state.get(f"{key}:of") != settings:
        job = None  # something was moved since
    if job is None or job.ended:
        start = partial(live.run, subject, dict(values))
        st.button(
            _(live.button) if job is None else _("Once more"),
            key=f"{key}:start",
            icon=":material/play_arrow:",
            on_click=_start,
            args=[key, settings, jobs, (lesson.name, settings), start, live.seconds],
            help=_("At most {n} seconds on this machine's processor.").format(n=round(live.seconds)),
        )
    if st.session_state.pop(f"{key}:full", False):
        st.warning(_("Too many trainings wait on this machine. Try again in a minute."), icon=":material/group:")
    if job is not None:
        # The button is not in this fragment: a click on it must set the timer, which belongs to what is around it.
        st.fragment(_watch, run_every=None if job.ended else _EVERY)(lesson, job, jobs, key, show_rows)


def _watch(lesson: Lesson, job: LiveJob, jobs: LiveJobs, key: str, show_rows: ShowRows) -> None:
    ended = job.ended  # asked once: it may end meanwhile
    if not ended:
        _show_state(job, jobs)
        st.button(_("Stop"), key=f"{key}:stop", icon=":material/stop:", on_click=jobs.stop, args=[job, _visitor()])
    if job.error:
        st.error(_("The training failed: {reason}").format(reason=job.error))
    if job.rows is not None:
        show_rows(lesson, "live", job.rows, ())
    if ended and not st.session_state.get(f"{key}:seen-end"):
        st.session_state[f"{key}:seen-end"] = True
        st.rerun()  # the timer goes


def _start(key: str, settings: str, jobs: LiveJobs, name: tuple[str, str], start: Any, seconds: float) -> None:
    from cnn_demo.lessons.live_jobs import TooManyWait

    old: LiveJob | None = st.session_state.get(key)
    again = old is not None and old.ended and st.session_state.get(f"{key}:of") == settings
    count = st.session_state.get(f"{key}:count", 0) + (1 if again else 0)
    st.session_state[f"{key}:count"] = count
    try:
        st.session_state[key] = jobs.request((*name, count), _visitor(), start, seconds)
    except TooManyWait:
        st.session_state[f"{key}:full"] = True
        return
    st.session_state[f"{key}:of"] = settings
    st.session_state[f"{key}:seen-end"] = False


def _show_state(job: LiveJob, jobs: LiveJobs) -> None:
    if job.began is None:
        before = jobs.count_before(job)
        st.progress(0.0, text=_("Waiting; {n} before you.").format(n=before) if before else _("Starting…"))
    else:
        left = max(0, round(job.seconds * (1 - job.share)))
        st.progress(job.share, text=_("Training, at most {n} s more").format(n=left))


def _name_settings(live: Live, subject: Subject, values: Values) -> str:
    wanted = {name: values[name] for name in live.controls}
    if live.needs_subject:
        wanted |= {"network": subject.network.key, "image": hash(subject.image.numpy().tobytes())}
    return json.dumps(wanted, sort_keys=True, default=str)


def _visitor() -> str:
    context = get_script_run_ctx()
    return context.session_id if context else ""
