"""Curves of a run as ECharts options: plain data in, plain data out, nothing drawn here.

Both charts share one honest axis: the epoch, with fractions, and beside it (on top) the step that is the same moment.
A batch of step s ends at epoch s / steps per epoch; the test set is measured at whole epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cnn_demo.runs.records import Curve, EpochRow, Mark
from cnn_demo.runs.recovery import FRESH_STATE
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.theme import MARK_COLOR, TEST_COLOR, TRAIN_COLOR, VAL_COLOR

Metric = Literal["loss", "accuracy"]


@dataclass(frozen=True, slots=True)
class View:
    """How the visitor wants to see a curve.

    Attributes:
        smoothing: weight of the past in the moving average, 0 (none) to below 1.
        log: logarithmic axis for the loss.
    """

    smoothing: float = 0.6
    log: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """The axis: how many epochs and steps from left to right."""

    epochs: float
    steps: int


_ENDS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)


def span(epoch: float, epochs: int, total_steps: int) -> Span:
    """The axis for a run that has reached ``epoch``: it grows in a few jumps, so that the first minutes of a long run
    are not squeezed into its left edge, and never beyond the plan.

    Args:
        epoch: reached so far.
        epochs: the plan.
        total_steps: steps of the whole plan; 0 while unknown.
    """
    end = min(next((e for e in _ENDS if e >= epoch), epochs), epochs)
    return Span(float(end), max(1, round(total_steps * end / epochs)))


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average with the bias of its start removed (Kingma and Ba, "Adam", 2015, section 3).

    A value that is not finite is passed through and does not enter the average.

    Args:
        values: the raw points, in order.
        weight: of the past, 0 to below 1. 0 gives the raw points back.
    """
    average, total, result = 0.0, 0.0, []
    for value in values:
        if not math.isfinite(value):
            result.append(value)
            continue
        average = weight * average + (1 - weight) * value
        total = weight * total + (1 - weight)
        result.append(average / total)
    return result


def curve_option(
    metric: Metric,
    curve: Curve,
    epochs: Sequence[EpochRow],
    marks: Sequence[Mark],
    span: Span,
    view: View,
) -> dict[str, Any]:
    """One chart: the raw batches faint, their average strong, test (and validation) points, changes of the rate marked.

    Args:
        metric: which of the two.
        curve: the training batches, already thinned to at most a thousand points.
        epochs: the epochs that are complete.
        marks: what happened; changes of the learning rate, and where a run went on from weights alone, are drawn.
        span: the axis.
        view: smoothing and scale.
    """
    log = metric == "loss" and view.log
    keep = _plottable(log, 1 if metric == "loss" else 100)
    series = _train_lines(curve, curve.loss if metric == "loss" else curve.accuracy, keep, view)
    for name, prefix, color, symbol in (
        (_("Validation"), "val", VAL_COLOR, "diamond"),
        (_("Test"), "test", TEST_COLOR, "circle"),
    ):
        points = [(r.epoch, keep(getattr(r, f"{prefix}_{metric}")), r.step) for r in epochs]
        points = [p for p in points if p[1] is not None]
        if points:
            series.append(_line(name, points, color, width=2, symbol=symbol))
    value_format = "%.4f" if metric == "loss" else "%.2f%%"
    return _chart(series, marks, span, _y_axis(metric, view), value_format, labels_up=metric == "loss")


def gradient_option(curve: Curve, marks: Sequence[Mark], span: Span, view: View) -> dict[str, Any]:
    """The length of the gradient at each step, on a logarithmic axis: it changes by factors."""
    series = _train_lines(curve, curve.grad_norm, _plottable(True, 1), view)
    return _chart(series, marks, span, {"type": "log"}, "%.4g", labels_up=True)


def rate_option(curve: Curve, marks: Sequence[Mark], span: Span) -> dict[str, Any]:
    """The learning rate that each step was taken with."""
    points = zip((round(e, 4) for e in curve.epoch), curve.lr, curve.step, strict=True)
    series = [_line(_("Learning rate"), points, TRAIN_COLOR, width=2.5)]
    return _chart(series, marks, span, {"type": "value", "min": 0}, "%.4g", labels_up=True)


def _train_lines(
    curve: Curve, raw: Sequence[float], keep: Callable[[float | None], float | None], view: View
) -> list[dict[str, Any]]:
    """The raw batches and their average; both carry the same name, so that one click in the legend hides both."""
    train, epoch = _("Train"), [round(e, 4) for e in curve.epoch]
    average = smooth(raw, view.smoothing)
    lines = [
        _line(train, zip(epoch, map(keep, raw), curve.step, strict=True), TRAIN_COLOR, width=1, opacity=0.4),
        _line(train, zip(epoch, map(keep, average), curve.step, strict=True), TRAIN_COLOR, width=2.5),
    ]
    lines[0]["tooltip"] = {"show": False}
    return lines


def _chart(
    series: list[dict[str, Any]],
    marks: Sequence[Mark],
    span: Span,
    y_axis: dict[str, Any],
    value_format: str,
    *,
    labels_up: bool,
) -> dict[str, Any]:
    """Lines over epochs and steps, with what happened on the strong line of the training batches."""
    lines = [{"xAxis": round(m.epoch, 4), "name": name} for m in marks if (name := name_mark(m))]
    if lines:
        series[min(1, len(series) - 1)]["markLine"] = {
            "symbol": "none",
            "silent": True,
            "lineStyle": {"color": MARK_COLOR, "type": "dashed", "width": 1},
            "label": {
                "formatter": "{b}",
                "color": MARK_COLOR,
                "fontSize": 11,
                "position": "insideEndBottom" if labels_up else "insideStartBottom",
            },
            "data": lines,
        }
    return {
        "animation": False,
        "grid": {"left": 8, "right": 20, "top": 60, "bottom": 28, "containLabel": True},
        "legend": {"top": 0, "left": 0, "icon": "roundRect", "itemWidth": 14, "itemHeight": 4},
        "tooltip": {
            "trigger": "axis",
            "axisPointer": {"type": "line"},
            "confine": True,
            "valueFormatter": value_format,
        },
        "xAxis": [
            _x_axis(_("Epoch"), span.epochs, "bottom", whole=span.epochs > 2),
            _x_axis(_("Step"), span.steps, "top", whole=True),
        ],
        "yAxis": y_axis,
        "series": series,
    }


def name_mark(mark: Mark) -> str:
    """What a mark says on a curve; empty for one that is not drawn."""
    if mark.kind == FRESH_STATE:
        return _("fresh moments")
    return _("rate {lr}").format(lr=f"{mark.value:g}") if mark.kind == "lr" and mark.value is not None else ""


def _plottable(log: bool, factor: float) -> Callable[[float | None], float | None]:
    """A function that scales a value; None for what an axis cannot show: NaN, infinity and, on a log axis, zero."""

    def keep(value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or (log and value <= 0):
            return None
        return round(value * factor, 5)

    return keep


def _line(name: str, points: Any, color: str, *, width: float, opacity: float = 1, symbol: str = "") -> dict[str, Any]:
    line: dict[str, Any] = {
        "type": "line",
        "name": name,
        "dimensions": ["epoch", "value", "step"],
        "encode": {"x": 0, "y": 1, "tooltip": [1]},
        "data": [list(point) for point in points],
        "showSymbol": bool(symbol),
        "lineStyle": {"width": width, "opacity": opacity},
        "itemStyle": {"color": color},
        "emphasis": {"disabled": True},
    }
    if symbol:
        line |= {"symbol": symbol, "symbolSize": 8}
    return line


def _x_axis(name: str, end: float, position: str, *, whole: bool) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "type": "value",
        "name": name,
        "nameLocation": "middle",
        "nameGap": 26,
        "position": position,
        "min": 0,
        "max": end,
        "splitLine": {"show": False},
    }
    if position == "top":
        axis |= {"axisLine": {"show": False}, "axisPointer": {"show": False}, "splitNumber": 4}
    if whole:
        axis["minInterval"] = 1
    return axis


def _y_axis(metric: Metric, view: View) -> dict[str, Any]:
    if metric == "loss":
        return {"type": "log" if view.log else "value", **({} if view.log else {"min": 0})}
    return {"type": "value", "scale": True, "max": 100, "axisLabel": {"formatter": "{value}%"}}


def describe(metric: Metric, curve: Curve, epochs: Sequence[EpochRow]) -> str:
    """The chart in a sentence, for those who cannot see it."""
    raw = [v for v in (curve.loss if metric == "loss" else curve.accuracy) if math.isfinite(v)]
    if not raw:
        return _("Loss by epoch: no points yet.") if metric == "loss" else _("Accuracy by epoch: no points yet.")
    form = "{:.3f}" if metric == "loss" else "{:.1%}"
    tested = [value for r in epochs if (value := getattr(r, f"test_{metric}")) is not None]
    text = _("Loss by epoch.") if metric == "loss" else _("Accuracy by epoch.")
    text += " " + _("Train: from {first} to {last}.").format(first=form.format(raw[0]), last=form.format(raw[-1]))
    if tested:
        text += " " + _("Test: {last}.").format(last=form.format(tested[-1]))
    return text


def describe_gradient(curve: Curve) -> str:
    """The chart of the gradient's length in a sentence."""
    norms = [norm for norm in curve.grad_norm if math.isfinite(norm)]
    if not norms:
        return _("Length of the gradient by epoch: none was recorded.")
    return _("Length of the gradient by epoch: first {first}, last {last}, highest {highest}.").format(
        first=f"{norms[0]:.3g}", last=f"{norms[-1]:.3g}", highest=f"{max(norms):.3g}"
    )


def describe_rate(curve: Curve) -> str:
    """The chart of the learning rate in a sentence."""
    if not curve.lr:
        return _("Learning rate by epoch: no points yet.")
    return _("Learning rate by epoch: first {first}, last {last}, highest {highest}.").format(
        first=f"{curve.lr[0]:.3g}", last=f"{curve.lr[-1]:.3g}", highest=f"{max(curve.lr):.3g}"
    )
