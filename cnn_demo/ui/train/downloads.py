"""Files of a run, made only when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.ui.shared import charts, i18n
from cnn_demo.ui.shared.i18n import _

_POINTS = 1000


def show_downloads(store: Store, run: Run) -> None:
    """The menu of downloads."""
    code = i18n.language()  # the bytes are made in another thread, which belongs to no session
    with st.popover(_("Download"), icon=":material/download:"):
        if store.checkpoints(run.id):
            st.caption(_("The weights are those of the newest checkpoint."))
            _file(run, _("Weights"), "safetensors", lambda: _weights(store, run.id, "safetensors"))
            _file(run, _("Weights"), "pt", lambda: _weights(store, run.id, "pt"))
        _file(run, _("Metrics"), "csv", lambda: store.metrics_csv(run.id).encode())
        _file(run, _("Curves"), "png", lambda: figure(store, run, "png", code))
        _file(run, _("Curves"), "svg", lambda: figure(store, run, "svg", code))


def _file(run: Run, title: str, kind: str, make: Callable[[], bytes]) -> None:
    name = f"{run.config.model}-{run.config.dataset}-{run.id}.{kind}"
    st.download_button(
        f"{title} · .{kind}",
        make,
        name,
        key=f"file:{kind}:{run.id}",
        on_click="ignore",
        type="tertiary",
        icon=":material/draft:",
    )


def _weights(store: Store, run_id: str, kind: str) -> bytes:
    path = store.checkpoints(run_id)[-1].path
    if kind == "safetensors":
        return (path / "weights.safetensors").read_bytes()
    from cnn_demo.training.snapshot import state_dict_pt  # torch: only when a .pt is asked for

    return state_dict_pt(path)


def figure(store: Store, run: Run, kind: str, code: str, smoothing: float = 0.6) -> bytes:
    """Both curves as a picture for a slide.

    Args:
        store: where the run is.
        run: whose curves.
        kind: "png" or "svg".
        code: the language of the words in it.
        smoothing: of the strong line; the raw points are drawn faint behind it.
    """
    from cnn_demo.plots import figures as plots  # matplotlib: only when a figure is asked for

    curve, epochs = store.steps(run.id, points=_POINTS), store.epochs(run.id)
    with i18n.use(code):
        panels = []
        for metric, label, raw in (
            ("loss", _("Loss"), curve.loss),
            ("accuracy", _("Accuracy"), curve.accuracy),
        ):
            lines = [
                plots.Line("train", "", curve.epoch, raw, faint=True),
                plots.Line("train", _("Train"), curve.epoch, charts.smooth(raw, smoothing)),
            ]
            for role, title in (("val", _("Validation")), ("test", _("Test"))):
                rows = [row for row in epochs if getattr(row, f"{role}_{metric}") is not None]
                if rows:
                    n = getattr(rows[-1], f"{role}_n")
                    values = [getattr(row, f"{role}_{metric}") for row in rows]
                    lines.append(plots.Line(role, f"{title} (n = {n:,})", [float(r.epoch) for r in rows], values))
            panels.append(plots.Panel(label, tuple(lines)))
        marks = [(mark.epoch, charts.rate(mark.value)) for mark in store.marks(run.id) if mark.kind == "lr"]
        return plots.figure_bytes(plots.curves(f"{run.title} · {run.config.dataset}", _("Epoch"), panels, marks), kind)
