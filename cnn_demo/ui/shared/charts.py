"""Curves of a run as plain data for the component that draws them (:mod:`cnn_demo.ui.components.curves`).

All charts of a run share one honest axis: the epoch, with fractions, and beside it (on top) the step that is the same
moment; or, as the visitor likes, the step or the time alone. A batch of step s ends at epoch s / steps per epoch; the
test set is measured at whole epochs.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cnn_demo.runs.records import Curve, EpochRow, Mark
from cnn_demo.runs.recovery import FRESH_STATE
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.shared.theme import TEST_COLOR, TRAIN_COLOR, VAL_COLOR

Metric = Literal["loss", "accuracy"]
AxisKind = Literal["epoch", "step", "time"]


@dataclass(frozen=True, slots=True)
class View:
    """How the visitor wants to see the curves.

    Attributes:
        smoothing: weight of the past in the moving average, 0 (none) to below 1.
        log: logarithmic axes: for the loss, and for the error, which then takes the place of the accuracy.
        axis: what runs from left to right.
    """

    smoothing: float = 0.6
    log: bool = False
    axis: AxisKind = "epoch"


@dataclass(frozen=True, slots=True)
class Clock:
    """When an epoch was reached, in seconds of training (without pauses and evaluation).

    Attributes:
        epochs, seconds: known moments, in order, beginning with 0 and 0. Between two of them the pace is even.
    """

    epochs: tuple[float, ...] = (0.0,)
    seconds: tuple[float, ...] = (0.0,)

    def tell(self, epoch: float) -> float:
        """The seconds of training at an epoch, which may be a fraction."""
        after = bisect.bisect_left(self.epochs, epoch)
        if after == 0 or after == len(self.epochs):
            return self.seconds[min(after, len(self.epochs) - 1)]
        (e0, e1), (s0, s1) = self.epochs[after - 1 : after + 1], self.seconds[after - 1 : after + 1]
        return s0 + (s1 - s0) * (epoch - e0) / (e1 - e0)


def set_clock(epochs: Sequence[EpochRow], epoch: float, seconds: float) -> Clock:
    """The clock of a run.

    Args:
        epochs: those that are complete.
        epoch, seconds: where the run is now.
    """
    moments, total = {0.0: 0.0}, 0.0
    for row in epochs:
        total += row.seconds if math.isfinite(row.seconds) else 0.0
        moments[float(row.epoch)] = total
    if epoch > max(moments):
        moments[epoch] = max(seconds, total)
    return Clock(tuple(moments), tuple(moments.values()))


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


@dataclass(frozen=True, slots=True)
class Frame:
    """What the charts of one run have in common.

    Attributes:
        id: of the run; its charts share pointer and zoom.
        span: the axis.
        view: smoothing and scale.
        marks: what happened; changes of the learning rate, and where a run went on from weights alone, are drawn.
        clock: for the axis of time.
    """

    id: str
    span: Span
    view: View = View()
    marks: Sequence[Mark] = ()
    clock: Clock = field(default_factory=Clock)

    def place(self, epoch: Sequence[float], step: Sequence[int]) -> list[float]:
        """Where moments lie on the axis."""
        if self.view.axis == "step":
            return [float(s) for s in step]
        if self.view.axis == "time":
            return [round(self.clock.tell(e), 3) for e in epoch]
        return [round(e, 4) for e in epoch]


def make_curve_chart(metric: Metric, curve: Curve, epochs: Sequence[EpochRow], frame: Frame) -> dict[str, Any]:
    """One chart: the raw batches faint, their average strong, test (and validation) points, changes of the rate marked.

    Args:
        metric: which of the two.
        curve: the training batches, already thinned to at most a thousand points.
        epochs: the epochs that are complete.
        frame: the axis and the view.
    """
    log = frame.view.log
    scale = _plottable(log, lambda loss: loss)
    if metric == "accuracy":
        scale = _plottable(log, (lambda share: 100 - 100 * share) if log else (lambda share: 100 * share))
    raw = curve.loss if metric == "loss" else curve.accuracy
    lines = _train_lines(curve, raw, scale, frame.view)
    others: list[float] = []
    for name, role, color, marker in (
        (_("Validation"), "val", VAL_COLOR, "diamond"),
        (_("Test"), "test", TEST_COLOR, "circle"),
    ):
        rows = [row for row in epochs if getattr(row, f"{role}_{metric}") is not None]
        if rows:
            values = [scale(getattr(row, f"{role}_{metric}")) for row in rows]
            others += [value for value in values if value is not None]
            line = _line(role, name, values, color, width=2, marker=marker)
            line |= {"epoch": [row.epoch for row in rows], "step": [row.step for row in rows]}
            line["x"] = frame.place([float(row.epoch) for row in rows], line["step"])
            lines.append(line)
    shown = [value for value in lines[0]["y"] if value is not None]
    average = [value for value in lines[1]["y"] if value is not None]
    y: dict[str, Any] = {"low": None, "high": None, "log": log, "most": None}
    y |= {"suffix": "", "digits": 4} if metric == "loss" else {"suffix": "%", "digits": 2}
    if metric == "loss" and not log:
        y |= {"low": 0.0, "high": find_top(shown, average, others)}
    elif metric == "accuracy" and not log:
        y |= {"low": find_bottom(shown, average, others), "high": 100.0, "most": 100.0}
    text = describe(metric, curve, epochs)
    return _chart(f"{frame.id}:{metric}", curve, lines, frame, y, text, _tell_outside(shown, y))


def make_gradient_chart(curve: Curve, frame: Frame) -> dict[str, Any]:
    """The length of the gradient at each step, on a logarithmic axis: it changes by factors."""
    lines = _train_lines(curve, curve.grad_norm, _plottable(True, lambda norm: norm), frame.view)
    y = {"low": None, "high": None, "log": True, "most": None, "suffix": "", "digits": None}
    return _chart(f"{frame.id}:gradient", curve, lines, frame, y, describe_gradient(curve))


def make_rate_chart(curve: Curve, frame: Frame) -> dict[str, Any]:
    """The learning rate that each step was taken with."""
    lines = [_line("rate", _("Learning rate"), list(curve.lr), TRAIN_COLOR, width=2.5)]
    y = {"low": 0.0, "high": None, "log": False, "most": None, "suffix": "", "digits": None}
    return _chart(f"{frame.id}:rate", curve, lines, frame, y, describe_rate(curve))


_CLIP = 1.6  # a spike is cut off where the axis would be this many times as long with it


def find_top(raw: Sequence[float], average: Sequence[float], others: Sequence[float]) -> float | None:
    """Where the axis of the loss ends so that a spike does not flatten all the rest; None where nothing need be cut.

    The beginning, the newest point and nine tenths of all points are always in view.

    Args:
        raw, average: of the batches, in order, finite.
        others: of the epochs: test and validation.
    """
    if not raw:
        return None
    top = max(raw[0], average[-1], _quantile(raw, 0.9), _quantile(others, 0.75) if others else 0.0) * 1.05
    return top if max([*raw, *others]) > top * _CLIP else None


def find_bottom(raw: Sequence[float], average: Sequence[float], others: Sequence[float]) -> float | None:
    """Where the axis of the accuracy (in percent) begins: not at the first guesses, where these would flatten the rest.

    Args:
        raw, average: of the batches, in order.
        others: of the epochs: test and validation.
    """
    if not raw:
        return None
    wanted = min(_quantile(average, 0.1), *others, average[-1]) if others else min(_quantile(average, 0.1), average[-1])
    least, most = min([*raw, *others]), max([*raw, *others])
    if most - wanted > (most - least) / 5:
        return None
    bottom = wanted - 0.15 * (most - wanted)
    unit = 10 ** math.floor(math.log10(max(most - bottom, 0.1))) / 2
    return max(0.0, math.floor(bottom / unit) * unit)


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _tell_outside(raw: Sequence[float], y: dict[str, Any]) -> str:
    """A note on the batches that lie beyond the axis; empty where none does."""
    low, high = y["low"], y["high"]
    outside = [v for v in raw if (low is not None and v < low) or (high is not None and v > high)]
    if not outside:
        return ""
    farthest = max(outside) if high is not None and max(outside) > high else min(outside)
    return _("{n} of {total} points lie beyond the axis, the farthest at {value}.").format(
        n=f"{len(outside):,}", total=f"{len(raw):,}", value=f"{farthest:,.4g}{y['suffix']}"
    )


def _train_lines(
    curve: Curve, raw: Sequence[float], scale: Callable[[float | None], float | None], view: View
) -> list[dict[str, Any]]:
    """The raw batches and their average; both have one role, so that one click in the legend hides both."""
    each = round(curve.step[-1] / len(curve.step)) if len(curve) else 1
    note = _("one batch") if each <= 1 else _("mean of {n} batches").format(n=each)
    average = list(map(scale, smooth(raw, view.smoothing)))
    strong = _("smoothed") if view.smoothing else note
    lines = [
        _line("train", _("Train"), list(map(scale, raw)), TRAIN_COLOR, width=1, opacity=0.4, note=note),
        _line("train", _("Train"), average, TRAIN_COLOR, width=2.5, note=strong),
    ]
    if not view.smoothing:
        lines[0]["quiet"] = True  # the same figures again
    return lines


def _chart(
    name: str, curve: Curve, lines: list[dict[str, Any]], frame: Frame, y: dict[str, Any], text: str, note: str = ""
) -> dict[str, Any]:
    span, axis = frame.span, frame.view.axis
    ends = {"epoch": span.epochs, "step": span.steps, "time": max(frame.clock.seconds[-1], 1.0)}
    titles = {"epoch": _("Epoch"), "step": _("Step"), "time": _("Time training")}
    marks = [(mark, words) for mark in frame.marks if (words := name_mark(mark))]
    places = frame.place([mark.epoch for mark, _words in marks], [mark.step for mark, _words in marks])
    return {
        "id": name,
        "group": frame.id,
        "x": {"kind": axis, "name": titles[axis], "high": ends[axis]},
        "top": {"name": _("Step"), "high": span.steps} if axis == "epoch" else None,
        "y": y,
        "points": {
            "x": frame.place(curve.epoch, curve.step),
            "epoch": [round(e, 4) for e in curve.epoch],
            "step": curve.step,
        },
        "lines": lines,
        "marks": [{"x": x, "text": words} for x, (_mark, words) in zip(places, marks, strict=True)],
        "words": {
            "epoch": _("Epoch"),
            "step": _("Step"),
            "reset": _("Show all"),
            "legend": _("Lines that are shown"),
            "keys": _("Arrow keys go from point to point, + zooms in, 0 shows all; drag with the mouse to zoom."),
        },
        "alt": text,
        "note": note,
    }


def name_mark(mark: Mark) -> str:
    """What a mark says on a curve; empty for one that is not drawn."""
    if mark.kind == FRESH_STATE:
        return _("fresh moments")
    return _("rate {lr}").format(lr=f"{mark.value:g}") if mark.kind == "lr" and mark.value is not None else ""


def _plottable(log: bool, scale: Callable[[float], float]) -> Callable[[float | None], float | None]:
    """A function that scales a value; None for what an axis cannot show: NaN, infinity and, on a log axis, zero."""

    def keep(value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        scaled = round(scale(value), 5)
        return None if log and scaled <= 0 else scaled

    return keep


def _line(
    role: str,
    name: str,
    values: Sequence[float | None],
    color: str,
    *,
    width: float,
    opacity: float = 1.0,
    note: str = "",
    marker: str = "",
) -> dict[str, Any]:
    return {
        "role": role,
        "name": name,
        "y": list(values),
        "color": color,
        "width": width,
        "opacity": opacity,
        "note": note,
        "marker": marker,
    }


def describe(metric: Metric, curve: Curve, epochs: Sequence[EpochRow]) -> str:
    """The chart in a sentence, for those who cannot see it."""
    raw = [v for v in (curve.loss if metric == "loss" else curve.accuracy) if math.isfinite(v)]
    if not raw:
        return _("Loss by epoch: no points yet.") if metric == "loss" else _("Accuracy by epoch: no points yet.")
    form = "{:.3f}" if metric == "loss" else "{:.1%}"
    tested = [value for r in epochs if (value := getattr(r, f"test_{metric}")) is not None]
    text = _("Loss by epoch.") if metric == "loss" else _("Accuracy by epoch.")
    text += sentence_gap() + _("Train: from {first} to {last}.").format(
        first=form.format(raw[0]), last=form.format(raw[-1])
    )
    if tested:
        text += sentence_gap() + _("Test: {last}.").format(last=form.format(tested[-1]))
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
