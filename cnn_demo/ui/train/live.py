"""The part of the Train page that moves: progress, figures and curves of one run, every 1.5 s while it is active.

What a poll costs is what a class of thirty multiplies: the store is asked for its version, and everything that depends
on the metrics is built once a version for all viewers together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.locales import N_
from cnn_demo.runs import launcher
from cnn_demo.runs.estimate import estimate_remaining, estimate_wait
from cnn_demo.runs.records import EpochRow, Run, RunNotFound, RunState
from cnn_demo.ui.components.curves import draw_curves
from cnn_demo.ui.shared import charts, i18n, names
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.shared.markup import escape, figure_row, table
from cnn_demo.ui.shared.run_strip import pack_run_strip
from cnn_demo.ui.shared.store import get_store
from cnn_demo.ui.train import strip

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

POINTS = 500
SHOWN_EPOCHS = 20
_LOG, _SMOOTHING, _AXIS = "curves:log", "curves:smoothing", "curves:axis"
_AXES: dict[str, str] = {"epoch": N_("Epoch"), "step": N_("Step"), "time": N_("Time")}


@dataclass(frozen=True, slots=True)
class Curves:
    """The charts of one run at one version, ready to send."""

    loss: dict[str, Any]
    accuracy: dict[str, Any]
    gradient: dict[str, Any]
    rate: dict[str, Any]
    epochs: str


def show_live_view(store: Store, run: Run) -> None:
    """The live view; it polls only while the run is active."""
    # The first sign of life should not wait for a slow clock; later, a look every 1.5 s costs training little.
    # The same holds while it is to do what it was asked.
    interval = 0.3 if run.is_starting or run.is_asked else 1.5
    st.fragment(_live, run_every=interval if run.state.active else None)(store, run.id, _around(store, run))


def current_rate(store: Store, run: Run) -> float:
    """The base learning rate of a run: that of its settings, or the one that was set last while it trained."""
    return next((m.value for m in reversed(store.marks(run.id)) if m.kind == "lr" and m.value), run.config.lr)


def _around(store: Store, run: Run) -> tuple[RunState, bool, str, float]:
    """What the page around the live view shows of a run: its badge and buttons, and its learning rate."""
    return run.state, run.step > 0, run.request, current_rate(store, run)


def _live(store: Store, run_id: str, painted: tuple[RunState, bool, str, float]) -> None:
    try:
        run = store.get(run_id)
        if run.state is RunState.QUEUED:
            launcher.ensure_worker(store)  # replaces one that died before it could take the run
    except RunNotFound:
        st.rerun()
    except OSError as error:
        st.warning(_("The run cannot be read at the moment: {reason}").format(reason=error))
        return  # the next poll tries again
    if _around(store, run) != painted:
        st.rerun()  # the whole page: other buttons, another badge, another timer, and none once the run has ended
    _progress(run)
    if run.state.ended and not run.step:
        return  # it never got as far as a curve
    _figures(run)
    view = _view()
    curves = _curves(store, run, run_id, run.version, view, i18n.language())
    watched = pack_run_strip(store, run)
    left, right = st.columns(2, gap="medium")
    with left:
        _heading(_("Loss"), _("cross-entropy, in nats"))
        draw_curves(curves.loss, f"loss:{run_id}")
    with left if watched else right:  # beside the curves what they mean for a few pictures
        if view.log:
            _heading(_("Error"), _("share of images not recognized"))
        else:
            _heading(_("Accuracy"), _("share of images recognized"))
        draw_curves(curves.accuracy, f"accuracy:{run_id}")
    if watched:
        with right:
            strip.show_run_strip(watched, run)
    # Nothing of it is sent while it is closed.
    with st.expander(_("Gradient and learning rate"), key="run-gradient", on_change="rerun") as more:
        if more.open:
            left, right = st.columns(2, gap="medium")
            with left:
                _heading(_("Length of the gradient"), _("of all parameters, before clipping"))
                draw_curves(curves.gradient, f"gradient:{run_id}")
            with right:
                _heading(_("Learning rate"), _("of each step"))
                draw_curves(curves.rate, f"rate:{run_id}")
    if curves.epochs:
        with st.expander(_("Figures by epoch"), key="run-epochs"):
            st.markdown(curves.epochs)


def _heading(title: str, unit: str) -> None:
    st.markdown(f"**{title}** :small[:gray[{unit}]]")


def _progress(run: Run) -> None:
    done = run.step / run.total_steps if run.total_steps else 0.0
    match run.state:
        case RunState.QUEUED:
            st.progress(0.0, _waiting(run))
        case RunState.STARTING:
            made = run.activity.get("done", 0.0) if run.activity.get("doing") == "samples" else 0.0
            st.progress(max(done, made), _starting(run))
        case RunState.STOPPING:
            st.progress(done, _("Stopping after this batch and saving a checkpoint…"))
        case RunState.PAUSED:
            st.progress(done, _("Paused.") + sentence_gap() + _where(run))
        case RunState.RUNNING if run.request == "pause":
            st.progress(done, _("Pausing after this batch and saving a checkpoint…") + sentence_gap() + _where(run))
        case RunState.RUNNING:
            left = estimate_remaining(run)
            eta = _("{time} left").format(time=names.duration(left)) if left is not None else ""
            st.progress(done, " · ".join(filter(None, (_where(run), eta))))
        case RunState.FINISHED:
            st.progress(1.0, _finished(run))
        case _:
            st.progress(done, _("Ended early.") + sentence_gap() + _where(run))


def _waiting(run: Run) -> str:
    """What a queued run waits for, and about how long."""
    store = get_store()
    holding, waiting = store.list_ahead(run.id)
    place = _("Waiting for the device; place {n} in the queue.").format(n=run.queue_position or 1)
    before = [other.title for other in (*holding, *waiting)]
    if not before:
        return place
    first = names.shorten(before[0], 40)
    text = _("{first} is before it.") if len(before) == 1 else _("{first} and {n} more are before it.")
    seconds = estimate_wait(run, store)
    time = "" if seconds is None else _("It starts in about {time}.").format(time=names.duration(seconds))
    return sentence_gap().join(filter(None, (place, text.format(first=escape(first), n=len(before) - 1), time)))


def _starting(run: Run) -> str:
    activity = run.activity
    if activity.get("doing") == "download":
        got, total = activity.get("done") or 0, activity.get("total") or 0
        text = _("Starting: downloading {file}").format(file=activity.get("file", ""))
        return f"{text} · {names.size(got)} / {names.size(total)}" if total else text
    if activity.get("doing") == "samples":
        return _("Starting: drawing more digits with pens, {part} done").format(part=f"{activity.get('done', 0):.0%}")
    if activity.get("doing") == "compile":
        return _("Starting: compiling the network for this device; it can take a minute and is done once a run")
    return _("Starting: loading PyTorch and the images…")


def _where(run: Run) -> str:
    return _("Epoch {epoch} of {epochs} · step {step} of {steps}").format(
        epoch=f"{run.epoch:.2f}", epochs=run.config.epochs, step=f"{run.step:,}", steps=f"{run.total_steps:,}"
    )


def _finished(run: Run) -> str:
    if run.step < run.total_steps:
        return _("Finished early: the validation loss had stopped falling.") + sentence_gap() + _where(run)
    return _("Finished.") + sentence_gap() + _where(run)


def _figures(run: Run) -> None:
    spec = names.spec(run.config.dataset)
    tested = _(spec.test_title) if spec else run.config.dataset
    on_device = run.device.startswith(("cuda", "mps"))
    figures = [
        (_("Test accuracy"), "" if run.test_accuracy is None else f"{run.test_accuracy:.2%}"),
        (_("Samples per second"), f"{run.samples_per_second:,.0f}" if run.samples_per_second else ""),
        (
            _("Device memory") if on_device else _("Memory of the worker"),
            names.size(run.memory_bytes) if run.memory_bytes else "",
        ),
        (_("Time training"), names.duration(run.train_seconds) if run.train_seconds else ""),
    ]
    note = _("Measured on {what}: n = {n}.").format(what=tested, n=f"{run.test_n:,}") if run.test_n else ""
    st.html(figure_row(figures, note))


def controls() -> None:
    """How the curves are drawn; outside the part that polls, so that it is not sent anew each time."""
    with st.popover(_("View"), icon=":material/show_chart:"):
        st.slider(
            _("Smoothing"),
            0.0,
            0.98,
            0.6,
            step=0.02,
            key=_SMOOTHING,
            persist_state="session",
            help=_("The strong line is a moving average; the raw batches stay visible behind it."),
        )
        st.toggle(
            _("Logarithmic"),
            key=_LOG,
            persist_state="session",
            help=_("Loss and error on logarithmic axes; the error takes the place of the accuracy."),
        )
        titles = {kind: _(title) for kind, title in _AXES.items()}
        st.segmented_control(
            _("From left to right"),
            list(titles),
            default="epoch",
            format_func=i18n.worded(titles, titles.__getitem__),
            required=True,
            key=_AXIS,
            persist_state="session",
            help=_("Time counts training alone: without pauses and without measuring the test set."),
        )


def _view() -> charts.View:
    kept = st.session_state
    axis: charts.AxisKind = kept.get(_AXIS, "epoch")
    return charts.View(kept.get(_SMOOTHING, 0.6), bool(kept.get(_LOG)), axis or "epoch")


@st.cache_resource(show_spinner=False, max_entries=64)
def _curves(
    _store: Store, _run: Run, run_id: str, version: int, view: charts.View, language: str
) -> Curves:  # id, version and language are keys: they decide what comes out
    curve, epochs = _store.steps(run_id, points=POINTS), _store.epochs(run_id)
    span = charts.span(_run.epoch, _run.config.epochs, _run.total_steps)
    clock = charts.set_clock(epochs, _run.epoch, _run.train_seconds)
    frame = charts.Frame(run_id, span, view, _store.marks(run_id), clock)
    return Curves(
        charts.make_curve_chart("loss", curve, epochs, frame),
        charts.make_curve_chart("accuracy", curve, epochs, frame),
        charts.make_gradient_chart(curve, frame),
        charts.make_rate_chart(curve, frame),
        _epoch_table(epochs),
    )


def _epoch_table(epochs: list[EpochRow]) -> str:
    """The newest epochs first; all of them are in the CSV."""
    if not epochs:
        return ""
    validated = any(row.val_loss is not None for row in epochs)
    head = [_("Epoch"), _("Step"), _("Train loss"), _("Train accuracy"), _("Test loss"), _("Test accuracy")]
    head += [_("Validation loss"), _("Validation accuracy")] if validated else []
    head += [_("Learning rate"), _("Seconds")]
    rows = []
    for row in reversed(epochs[-SHOWN_EPOCHS:]):
        cells = [str(row.epoch), f"{row.step:,}", f"{row.train_loss:.4f}", f"{row.train_accuracy:.2%}"]
        cells += [f"{row.test_loss:.4f}", f"{row.test_accuracy:.2%}"]
        if validated and row.val_loss is not None and row.val_accuracy is not None:
            cells += [f"{row.val_loss:.4f}", f"{row.val_accuracy:.2%}"]
        rows.append([*cells, f"{row.lr:.4g}", f"{row.seconds:.1f}"])
    text = table(head, rows)
    last = epochs[-1]
    counts = ((_("Train"), last.train_n), (_("Test"), last.test_n), (_("Validation"), last.val_n))
    note = " · ".join(f"{title}: n = {n:,}" for title, n in counts if n)
    if len(epochs) > SHOWN_EPOCHS:
        note += " · " + _("the newest {n} epochs; all are in the CSV").format(n=SHOWN_EPOCHS)
    return f"{text}\n\n:small[:gray[{note}]]"
