"""The second step: one button that trains, the wait, the falling curve, and how it ended."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.runs import launcher
from cnn_demo.runs.estimate import estimate, estimate_remaining, estimate_wait
from cnn_demo.runs.records import Run, RunNotFound, RunState
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.presets import find_preset
from cnn_demo.ui.components.curves import draw_curves
from cnn_demo.ui.shared import charts, i18n, launching, machine, names
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.start import own_runs
from cnn_demo.ui.start.style import show_heading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnn_demo.runs.store import Store

PLACE = "start"  # of the button, for ui.shared.launching
TRAIN_PAGE = "pages/train/train.py"
_POINTS, _HEIGHT = 300, 190


def first_config() -> TrainConfig:
    """What the button trains."""
    return TrainConfig.from_values(find_preset("first").changes)


def show_training(store: Store, run: Run | None, image: NDArray[np.uint8] | None) -> None:
    """Heading, button or progress, and the curve.

    Args:
        store: the run store.
        run: the visitor's newest network; None before the first.
        image: what the next run watches; None while nothing is drawn.
    """
    finished = run is not None and run.state is RunState.FINISHED
    show_heading(2, _("Train"), "done" if finished else "now" if run or image is not None else "later")
    problem = launching.take_problem(PLACE)
    if problem:
        st.error(problem)
    if run is None:
        _show_button(_("Train"), image, primary=True)
        _show_plan(store, image)
    elif run.state.active:
        _show_progress(store, run)
    else:
        with st.container(horizontal=True, vertical_alignment="center", key="first-end"):
            with st.container():
                _show_end(run)
            _show_button(_("Train anew") if finished else _("Try again"), image, primary=not finished, wide=False)
    if run is not None and run.step:
        title, unit = _("Loss"), _("cross-entropy, in nats")
        st.markdown(f"**{title}** :small[:gray[{unit}]]")
        draw_curves(_make_chart(store, run, run.id, run.version, i18n.language()), f"first-loss:{run.id}")
    else:
        words = _("Here the error falls while the network learns.")
        st.html(f'<div class="first-curve"><span>{escape(words)}</span></div>')


def _show_button(label: str, image: NDArray[np.uint8] | None, *, primary: bool, wide: bool = True) -> None:
    token = launching.launch_token(PLACE)
    # The token is part of the key and of the call: whatever a double click sends, it names the same launch.
    st.button(
        label,
        key=f"first-train:{token}",
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        width="stretch" if wide else "content",
        disabled=image is None,
        on_click=launch,
        args=(first_config(), token, image),
    )


def launch(config: TrainConfig, token: str, image: NDArray[np.uint8] | None, name: str = "") -> None:
    """Launch a network of the visitor's, in a callback. It watches her digit."""
    watched = [] if image is None else [image]
    run = launching.launch_run(PLACE, token, lambda: config, name=name, watched=watched)
    if run is not None:
        own_runs.remember_run(run.id)


def _show_plan(store: Store, image: NDArray[np.uint8] | None) -> None:
    """What the button would do, and how long that takes."""
    if image is None:
        st.caption(_("First draw a digit, or take a sample."))
        return
    config = first_config()
    spec, cost = names.spec(config.dataset), estimate(config, store)
    words = _("It looks {epochs} times at {n} handwritten digits, and never learns from yours.").format(
        epochs=config.epochs, n=f"{spec.train_size:,}" if spec else ""
    )
    if cost.seconds is not None:
        words += sentence_gap() + _("About {time} here.").format(time=names.duration(cost.seconds * 1.25))
    holding, waiting = store.list_ahead(None)
    if holding or waiting:
        words += " " + _wait_words(len(holding) + len(waiting), estimate_wait(None, store, _count_devices()))
    st.caption(words)


def _wait_words(ahead: int, seconds: float | None) -> str:
    if seconds is None:
        return _("Networks that train or wait before it: {n}; nobody can tell how long.").format(n=ahead)
    return _("Networks that train or wait before it: {n}; about {time}.").format(n=ahead, time=names.duration(seconds))


def _count_devices() -> int:
    """How many devices of the kind that trains there are, as far as is known."""
    answer = machine.probe().answer
    kinds = [device.kind for device in answer.devices] if answer else []
    return kinds.count(kinds[0]) if kinds else 1


def _show_progress(store: Store, run: Run) -> None:
    done = run.step / run.total_steps if run.total_steps else 0.0
    with st.container(horizontal=True, vertical_alignment="center", key="first-progress"):
        st.progress(done, _describe_progress(store, run))
        st.button(
            _("Stop"),
            key=f"first-stop:{run.id}",
            icon=":material/stop:",
            type="tertiary",
            disabled=run.state is RunState.STOPPING,
            on_click=_stop,
            args=(run.id,),
        )


def _describe_progress(store: Store, run: Run) -> str:
    match run.state:
        case RunState.QUEUED:
            holding, waiting = store.list_ahead(run.id)
            ahead = len(holding) + len(waiting)
            if not ahead:
                return _("Starting: loading PyTorch and the images…")
            return _("In the queue.") + sentence_gap() + _wait_words(ahead, estimate_wait(run, store, _count_devices()))
        case RunState.STARTING:
            return _("Starting: loading PyTorch and the images…")
        case RunState.PAUSED:
            return _("Paused on the Train page.")
        case RunState.STOPPING:
            return _("Stopping after this batch and saving a checkpoint…")
    left = estimate_remaining(run)
    where = _("Pass {epoch} of {epochs}").format(
        epoch=min(int(run.epoch) + 1, run.config.epochs), epochs=run.config.epochs
    )
    if left is None:
        return where
    return where + " · " + _("{time} left").format(time=names.duration(left))


def _stop(run_id: str) -> None:
    from cnn_demo.ui.shared.store import get_store

    try:
        get_store().stop(run_id)
    except RunNotFound:
        return  # deleted meanwhile: the page says so
    except OSError as error:
        st.toast(_("That did not work: {reason}").format(reason=error), icon=":material/info:")


def _show_end(run: Run) -> None:
    """How it ended, in a sentence."""
    if run.state is RunState.FINISHED:
        words = _("of {n} unseen digits read right ({dataset})").format(
            n=f"{run.test_n or 0:,}", dataset=run.config.dataset
        )
        share = f"{run.test_accuracy:.2%}" if run.test_accuracy is not None else "–"
        st.html(f'<p class="first-said" role="status"><b>{share}</b> {escape(words)}</p>')
    elif run.state is RunState.STOPPED:
        words = (
            _("It was stopped at step {step} of {steps}.") if run.step else _("It was stopped before its first step.")
        )
        st.info(
            words.format(step=f"{run.step:,}", steps=f"{run.total_steps:,}"),
            icon=":material/stop_circle:",
            width="stretch",
        )
    else:
        st.error(_("Training broke off before its end. Your drawing is still here."), icon=":material/warning:")
        st.page_link(TRAIN_PAGE, label=_("What happened"), icon=":material/search:", query_params={"run": run.id})


@st.cache_resource(show_spinner=False, max_entries=64)
def _make_chart(
    _store: Store, _run: Run, run_id: str, version: int, language: str
) -> dict[str, Any]:  # version and language are keys: they decide what comes out
    curve, epochs = _store.steps(run_id, points=_POINTS), _store.epochs(run_id)
    # The axis is that of the whole run from the beginning: what moves is the curve.
    span = charts.Span(float(_run.config.epochs), max(_run.total_steps, 1))
    chart = charts.make_curve_chart("loss", curve, epochs, charts.Frame(run_id, span))
    return chart | {"height": _HEIGHT, "top": None}


def ensure_worker_ready(store: Store) -> None:
    """Have a worker load PyTorch while the visitor looks at her drawing: once for each visitor."""
    key = "first:warm"
    if not st.session_state.get(key):
        st.session_state[key] = True
        launcher.warm(store)
