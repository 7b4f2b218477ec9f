"""One run on the Train page: what it is, what can be done with it, and the live view below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.runs import launcher, recovery
from cnn_demo.runs.finetune import has_fresh_head
from cnn_demo.runs.records import Run, RunBusy, RunNotFound, RunNotResumable, RunState
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.summary import list_told
from cnn_demo.ui.shared import launching, names, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape
from cnn_demo.ui.shared.store import get_store
from cnn_demo.ui.train import downloads, form, live, outcome, run_errors
from cnn_demo.ui.train.live import current_rate

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

_NOTICE = "run:notice"


def show_run(store: Store, run: Run) -> None:
    """Heading, error, buttons, live view."""
    notice = st.session_state.pop(_NOTICE, None) or launching.take_problem(form.PLACE)
    if notice:
        st.toast(notice, icon=":material/info:")
    st.markdown(f"### {escape(run.title)} {names.state_badge(run.state.value)}", anchors=False)
    st.caption(summary(run, current_rate(store, run)))
    if has_fresh_head(store, run):
        st.caption(_("The last layer began afresh: this data set has other classes than that of the first weights."))
    if run.from_other_version:
        st.info(
            _("Another version of this program made this run; it is shown as far as it is understood: {reason}").format(
                reason=escape(run.problem)
            ),
            icon=":material/history:",
        )
    if run.error and run.state.ended:
        run_errors.show_run_error(run, _relaunch, _go_on_from_weights)
    outcome.show_outcome(run, current_rate(store, run))
    _buttons(store, run)
    live.show_live_view(store, run)


def summary(run: Run, rate: float) -> str:
    """The settings of a run in a line; what is at its default and rarely changed is left out.

    Args:
        run: the run.
        rate: its base learning rate now.
    """
    parts = []
    for setting, value in list_told(run.config):
        if setting.name == "device":
            value = run.device or value
        text = names.describe_setting(setting, value)
        parts.append(f"{text} → {rate:g}" if setting.name == "lr" and rate != value else text)
        if setting.name == "model" and run.parameters:
            parts.append(_("{n} parameters").format(n=f"{run.parameters:,}"))
    return escape(" · ".join(parts))


def _buttons(store: Store, run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="run-buttons"):
        if run.state.can_pause:
            _button(_("Pause"), "pause", ":material/pause:", run, store.pause, waits=run.is_asked)
        if run.state is RunState.PAUSED:
            _button(_("Resume"), "play_arrow", ":material/play_arrow:", run, store.resume, primary=True)
        if run.state.resumable and not run.from_other_version:
            _button(_("Resume"), "restart", ":material/play_arrow:", run, _restart, primary=not run.error)
        if run.state.active and run.state is not RunState.STOPPING:
            _button(_("Stop"), "stop", ":material/stop:", run, store.stop)
        if run.state.can_pause or run.state is RunState.PAUSED:
            _rate(run, current_rate(store, run))
        if run.step:
            downloads.show_downloads(store, run)
            live.controls()
        _more(run)
        outcome.show_ways_on(run)
        if run.state.ended and not run.from_other_version:
            st.button(
                _("Change one thing"),
                key=f"copy:{run.id}",
                icon=":material/edit:",
                type="tertiary",
                on_click=_copy,
                args=(run.config,),
                help=_("Opens the form for a new run, filled with the settings of this one: change one and compare."),
            )


def _button(
    label: str,
    key: str,
    icon: str,
    run: Run,
    action: Callable[[str], Any],
    *,
    primary: bool = False,
    waits: bool = False,
) -> None:
    st.button(
        label,
        key=f"{key}:{run.id}",
        icon=icon,
        type="primary" if primary else "secondary",
        disabled=waits,
        on_click=_do,
        args=(action, run.id),
    )


def _do(action: Callable[..., Any], *args: Any) -> None:
    """Run an action of the store in a callback; what it refuses is said, not raised."""
    try:
        action(*args)
    except RunNotFound:
        st.session_state[_NOTICE] = _("This run was deleted meanwhile.")
    except RunBusy:
        st.session_state[_NOTICE] = _("This run is active: stop it first.")
    except RunNotResumable:
        st.session_state[_NOTICE] = _("This run has finished: nothing is left to do.")
    except ConfigError as error:
        st.session_state[_NOTICE] = names.config_error(error)
    except OSError as error:
        st.session_state[_NOTICE] = _("That did not work: {reason}").format(reason=error)


def _restart(run_id: str) -> None:
    store = get_store()
    store.resume(run_id)
    launcher.ensure_worker(store)


def _go_on_from_weights(run_id: str) -> None:
    _do(recovery.go_on_from_weights, get_store(), run_id)
    launcher.ensure_worker(get_store())


def _rate(run: Run, rate: float) -> None:
    with st.popover(_("Learning rate"), icon=":material/tune:"):
        # A popover makes what is in it when it is opened; a value that was put into the session state would be gone by
        # then. Another rate makes another field, which opens with it.
        key = f"lr:{run.id}:{rate:g}"
        st.number_input(
            _("New learning rate"),
            0.0,
            10.0,
            rate,
            step=0.0005,
            format="%g",
            key=key,
            help=_("Used from the next batch on and marked on the curves. The schedule goes on from it."),
        )
        st.button(_("Apply"), key=f"lr-apply:{run.id}", type="primary", on_click=_set_rate, args=(run.id, key))


def _set_rate(run_id: str, key: str) -> None:
    _do(get_store().set_lr, run_id, float(st.session_state[key]))


def _more(run: Run) -> None:
    with st.popover(_("More"), icon=":material/more_horiz:"):
        key = f"name:{run.id}:{run.name}"  # another name, another field: see the learning rate
        st.text_input(
            _("Name"),
            run.name,
            key=key,
            max_chars=80,
            placeholder=run.title,
            on_change=_set_name,
            args=(run.id, key),
        )
        if not run.state.ended:  # one that has ended has the button in sight
            st.button(
                _("Use these settings"),
                key=f"copy:{run.id}",
                icon=":material/content_copy:",
                width="stretch",
                on_click=_copy,
                args=(run.config,),
                help=_("Opens the form for a new run, filled with the settings of this one."),
            )
        if run.state.ended and run.step and not run.from_other_version:
            st.button(
                _("Fine-tune"),
                key=f"fine-tune:{run.id}",
                icon=":material/school:",
                width="stretch",
                on_click=_fine_tune,
                args=(run,),
                help=_("Opens the form for a new run that begins with the weights of this one, on any data set."),
            )
        if run.state.ended:
            st.divider()
            st.caption(_("Deleting takes the checkpoints and metrics with it and cannot be undone."))
            sure = st.checkbox(_("I am sure"), key=f"sure:{run.id}")
            st.button(
                _("Delete this run"),
                key=f"delete:{run.id}",
                icon=":material/delete:",
                width="stretch",
                disabled=not sure,
                on_click=_deleted,
                args=(run.id,),
            )


def _set_name(run_id: str, key: str) -> None:
    _do(get_store().rename, run_id, st.session_state[key] or "")


def _deleted(run_id: str) -> None:
    _do(get_store().delete, run_id)
    if _NOTICE not in st.session_state:
        state.put("run", None)


def _copy(config: TrainConfig) -> None:
    form.fill_form(config)
    state.put("run", None)


def _fine_tune(run: Run) -> None:
    best = get_store().best_checkpoint(run.id)
    _copy(run.config.replace(init=f"{run.id}@best" if best else run.id, collection=""))


def _relaunch(config: TrainConfig, token: str) -> None:
    form.launch(lambda: config, token)
