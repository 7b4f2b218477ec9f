"""Files of a run, made only when somebody asks for them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.export.formats import FORMATS, MOST_HTML_BYTES, Exported, estimate_html_bytes, list_missing
from cnn_demo.runs.records import Checkpoint, Run
from cnn_demo.ui.shared import charts, i18n, names
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.plots.figures import Line
    from cnn_demo.runs.store import Store

_POINTS = 1000
_WEIGHTS = "weights.safetensors"
_exporting = threading.Lock()  # a class of thirty that downloads at once waits in line and does not fill the memory


def show_downloads(store: Store, run: Run) -> None:
    """The menu of downloads."""
    code = i18n.language()  # the bytes are made in another thread, which belongs to no session
    with st.popover(_("Download"), icon=":material/download:"):
        _show_weights(store, run)
        _file(run, _("Metrics"), "csv", lambda: store.metrics_csv(run.id).encode())
        _file(run, _("Curves"), "png", lambda: figure(store, run, "png", code))
        _file(run, _("Curves"), "svg", lambda: figure(store, run, "svg", code))
        used = names.file_size(_measure_folder(store.folder(run.id)))
        st.caption(_("On disk the run takes {size}.").format(size=used))
        st.page_link(
            "pages/export/take_away.py",
            label=_("All formats, with a receipt"),
            icon=":material/inventory_2:",
            query_params={"net": run.id},
        )


def _show_weights(store: Store, run: Run) -> None:
    """The weights of a checkpoint: at first the best by validation, where one was recorded, else the newest."""
    best = store.best_checkpoint(run.id)
    proposed = best or store.newest_checkpoint(run.id)
    if proposed is None:
        return
    checkpoint = _choose_checkpoint(store, run, proposed)
    step = f"{checkpoint.step:,}"
    if not _is_whole(checkpoint.path / _WEIGHTS):
        words = _("The weights of step {step} are missing or damaged (their SHA-256 is not the recorded one).")
        st.warning(words.format(step=step), icon=":material/broken_image:")
        return
    words = _("The weights are those of step {step}, the best by validation.")
    if checkpoint.step != proposed.step:
        words = _("The weights are those of step {step}, as chosen.")
    elif best is None:
        words = _("The weights are those of step {step}, the newest checkpoint.")
    st.caption(words.format(step=step))
    _file(run, _("Weights"), "safetensors", (checkpoint.path / _WEIGHTS).read_bytes, f"-step-{checkpoint.step}")
    _file(run, _("Weights"), "pt", lambda: _state_dict(checkpoint.path), f"-step-{checkpoint.step}")
    _show_exports(store, run, checkpoint.step)


def _choose_checkpoint(store: Store, run: Run, proposed: Checkpoint) -> Checkpoint:
    """One of the checkpoints that are kept; ``proposed`` until somebody chooses."""
    kept = {str(checkpoint.step): checkpoint for checkpoint in reversed(store.checkpoints(run.id))}
    if len(kept) < 2:
        return proposed
    words = {
        step: _("step {step} · epoch {epoch}").format(step=f"{found.step:,}", epoch=f"{found.epoch:.4g}")
        for step, found in kept.items()
    }
    step = st.selectbox(
        _("Checkpoint"),
        list(kept),
        index=list(kept).index(str(proposed.step)),
        format_func=i18n.worded(words, words.__getitem__),
        key=f"file:step:{run.id}",
    )
    return kept.get(step or "", proposed)


def _measure_folder(folder: Path) -> int:
    """Bytes of all files below; what vanishes meanwhile counts for nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _show_exports(store: Store, run: Run, step: int) -> None:
    """The network itself, to run elsewhere: one HTML file; ONNX and a bundle where what they need is installed."""
    size = estimate_html_bytes(run.parameters or 0)
    if size > MOST_HTML_BYTES:
        words = _("As an HTML file it would have {size} MB; at most {most} MB are made.")
        st.caption(words.format(size=f"{size / 1e6:.0f}", most=f"{MOST_HTML_BYTES / 1e6:.0f}"))
    else:
        _show_export(store, run, step, "html", "html")
    for format_name, kind in (("onnx", "onnx"), ("bundle", "zip")):
        if not list_missing(format_name):
            _show_export(store, run, step, format_name, kind)


def _show_export(store: Store, run: Run, step: int, format_name: str, kind: str) -> None:
    entry = FORMATS.get(format_name)
    words = _("{what} It takes some seconds.").format(what=_(entry.help))
    _file(run, _(entry.title), kind, lambda: export_bytes(store, run, step, format_name), f"-step-{step}", help=words)


def export_bytes(store: Store, run: Run, step: int, format_name: str) -> bytes:
    """A checkpoint of a run in a format of the table, with the format's usual options; one at a time on this server."""
    from cnn_demo.prediction.load import load_model  # torch: only when it is asked for
    from cnn_demo.settings.reference import ModelRef

    entry = FORMATS.get(format_name)
    options = {option.name: option.default for option in entry.options}
    with _exporting, tempfile.TemporaryDirectory() as folder:
        loaded = load_model(ModelRef("run", run.id, step), store)
        made: Exported = entry.load()(loaded, Path(folder), options, lambda _part: None)
        return made.path.read_bytes()


def _is_whole(weights: Path) -> bool:
    try:
        return _has_recorded_sum(str(weights), weights.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return False


@st.cache_resource(show_spinner=False, max_entries=64)
def _has_recorded_sum(weights: str, written: int) -> bool:  # written: another file of this name is looked at again
    """Compare the SHA-256 of the weights with that in the checkpoint's JSON, without torch."""
    file = Path(weights)
    recorded = json.loads(file.with_name("checkpoint.json").read_text("utf-8"))["sha256"][file.name]
    return bool(hashlib.sha256(file.read_bytes()).hexdigest() == recorded)


def _state_dict(path: Path) -> bytes:
    from cnn_demo.training.snapshot import state_dict_pt  # torch: only when a .pt is asked for

    return state_dict_pt(path)


def _file(
    run: Run, title: str, kind: str, make: Callable[[], bytes], ending: str = "", *, help: str | None = None
) -> None:
    name = f"{run.config.model}-{run.config.dataset}-{run.id}{ending}.{kind}"
    st.download_button(
        f"{title} · .{kind}",
        make,
        name,
        key=f"file:{kind}:{run.id}",
        on_click="ignore",
        type="tertiary",
        icon=":material/draft:",
        help=help,
    )


def _find_limits(metric: str, lines: Sequence[Line]) -> tuple[float, float] | None:
    """The ends of an axis as on the page; None where all points are in view."""
    raw, average, *others = [[y for y in line.y if math.isfinite(y)] for line in lines]
    rest = [y for values in others for y in values]
    if metric == "loss":
        top = charts.find_top(raw, average, rest)
        return None if top is None else (0.0, top)
    bottom = charts.find_bottom(raw, average, rest)
    return None if bottom is None else (bottom, 100.0)


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
            ("accuracy", _("Accuracy"), [100 * share for share in curve.accuracy]),
        ):
            unit = 1 if metric == "loss" else 100
            lines = [
                plots.Line("train", "", curve.epoch, raw, faint=True),
                plots.Line("train", _("Train"), curve.epoch, charts.smooth(raw, smoothing)),
            ]
            for role, title in (("val", _("Validation")), ("test", _("Test"))):
                rows = [row for row in epochs if getattr(row, f"{role}_{metric}") is not None]
                if rows:
                    n = getattr(rows[-1], f"{role}_n")
                    values = [unit * getattr(row, f"{role}_{metric}") for row in rows]
                    lines.append(plots.Line(role, f"{title} (n = {n:,})", [float(r.epoch) for r in rows], values))
            panels.append(
                plots.Panel(label, tuple(lines), limits=_find_limits(metric, lines), percent=metric != "loss")
            )
        marks = [(mark.epoch, name) for mark in store.marks(run.id) if (name := charts.name_mark(mark))]
        what = [run.title] if not run.name else [run.title, run.config.model, run.config.dataset]
        return plots.figure_bytes(plots.draw_curves(" · ".join(what), _("Epoch"), panels, marks), kind)
