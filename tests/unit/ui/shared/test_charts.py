"""The curves: what is drawn where, on which axis, and that smoothing is what it says."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from cnn_demo.runs.records import Curve, EpochRow, Mark
from cnn_demo.ui.shared import charts


def direct_average(values: list[float], weight: float) -> list[float]:
    """The same average as a weighted sum over all the past, term by term."""
    result = []
    for i in range(len(values)):
        weights = [weight ** (i - j) for j in range(i + 1)]
        result.append(sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights))
    return result


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9, 0.98])
def test_smoothing_is_a_bias_corrected_average(weight: float) -> None:
    values = [random.Random(3).uniform(0, 5) for _ in range(60)]
    assert charts.smooth(values, weight) == pytest.approx(direct_average(values, weight), rel=1e-9)


def test_smoothing_keeps_what_is_not_finite_out_of_the_average() -> None:
    smoothed = charts.smooth([1.0, math.nan, 1.0, math.inf, 1.0], 0.9)
    assert [smoothed[i] for i in (0, 2, 4)] == pytest.approx([1, 1, 1])
    assert math.isnan(smoothed[1])
    assert smoothed[3] == math.inf


def row(epoch: int, *, val: float | None = None) -> EpochRow:
    return EpochRow(
        epoch,
        epoch * 10,
        0.5,
        0.8,
        100,
        0.4,
        0.9,
        50,
        val,
        None if val is None else 0.85,
        None if val is None else 20,
        1e-3,
        1.0,
        100.0,
        False,
    )


def curve_of(loss: list[float], *, per_epoch: int = 10) -> Curve:
    steps = list(range(1, len(loss) + 1))
    accuracy = [1 - value / 4 for value in loss]
    return Curve(steps, [s / per_epoch for s in steps], loss, accuracy, [1e-3] * len(steps), loss)


def frame(view: charts.View | None = None, **more: Any) -> charts.Frame:
    marks = [Mark(12, 1.2, "lr", 5e-4, 0.0), Mark(15, 1.5, "pause", None, 0.0)]
    return charts.Frame("abc", charts.Span(3.0, 30), view or charts.View(), marks, **more)


def make(metric: charts.Metric = "loss", *, view: charts.View | None = None, val: float | None = None) -> dict:
    curve = curve_of([2.0 / s for s in range(1, 26)])
    return charts.make_curve_chart(metric, curve, [row(1, val=val), row(2, val=val)], frame(view))


def test_raw_points_stay_behind_their_average_at_any_smoothing() -> None:
    for smoothing in (0.0, 0.98):
        raw, average = make(view=charts.View(smoothing=smoothing))["lines"][:2]
        assert raw["y"] == pytest.approx([2.0 / s for s in range(1, 26)], abs=1e-5)
        assert raw["opacity"] < average["opacity"] == 1
        assert (raw["name"], raw["role"]) == (average["name"], average["role"])
        assert bool(raw.get("quiet")) is (smoothing == 0)  # the same figures are not told twice
        assert average["note"] == ("smoothed" if smoothing else raw["note"])


def test_steps_and_epochs_share_one_axis() -> None:
    chart = make()
    below, above = chart["x"], chart["top"]
    assert (below["kind"], below["high"], above["high"]) == ("epoch", 3.0, 30)
    for x, step in zip(chart["points"]["x"], chart["points"]["step"], strict=True):
        assert x / below["high"] == pytest.approx(step / above["high"])  # one place, whichever way it is read
    test = chart["lines"][-1]
    assert (test["x"], test["step"], test["epoch"]) == ([1, 2], [10, 20], [1, 2])


def test_the_axis_can_count_steps_or_the_time_of_training() -> None:
    curve = curve_of([1.0] * 25)
    clock = charts.set_clock([row(1), row(2)], 2.5, 3.0)  # 1 s an epoch, then half an epoch in another second
    steps = charts.make_curve_chart("loss", curve, [row(1)], frame(charts.View(axis="step"), clock=clock))
    assert steps["points"]["x"] == curve.step
    assert (steps["x"]["high"], steps["top"], steps["marks"][0]["x"]) == (30, None, 12)
    time = charts.make_curve_chart("loss", curve, [row(1)], frame(charts.View(axis="time"), clock=clock))
    assert time["points"]["x"][4] == pytest.approx(0.5)
    assert time["points"]["x"][24] == time["x"]["high"] == pytest.approx(3.0)
    assert time["lines"][-1]["x"] == [1.0]
    assert time["marks"][0]["x"] == pytest.approx(1.2)


def test_a_clock_never_goes_back() -> None:
    clock = charts.set_clock([row(1), row(2)], 2.3, 1.9)  # the worker's own sum is a little behind
    told = [clock.tell(e / 10) for e in range(40)]
    assert told == sorted(told)
    assert charts.set_clock([], 0.0, 0.0).tell(0.5) == 0.0


def test_only_changes_of_the_rate_are_marked() -> None:
    (mark,) = make()["marks"]
    assert mark["x"] == 1.2
    assert "0.0005" in mark["text"]


def test_validation_appears_only_when_there_is_some() -> None:
    assert [line["role"] for line in make()["lines"]] == ["train", "train", "test"]
    assert [line["role"] for line in make(val=0.45)["lines"]] == ["train", "train", "val", "test"]


def test_log_scale_drops_what_it_cannot_show_and_turns_accuracy_into_error() -> None:
    curve = Curve([1, 2, 3], [0.1, 0.2, 0.3], [0.0, math.nan, 0.5], [0.1, 1.0, 0.3], [1e-3] * 3, [1.0] * 3)
    shown = frame(charts.View(smoothing=0, log=True))
    chart = charts.make_curve_chart("loss", curve, [], shown)
    assert chart["y"]["log"]
    assert chart["lines"][0]["y"] == [None, None, 0.5]
    error = charts.make_curve_chart("accuracy", curve, [row(1)], shown)
    assert error["y"]["log"]
    assert error["lines"][0]["y"] == [90.0, None, 70.0]
    assert error["lines"][-1]["y"] == pytest.approx([10.0])
    json.dumps([chart, error], allow_nan=False)


def test_accuracy_is_in_percent() -> None:
    chart = make("accuracy")
    assert chart["lines"][-1]["y"] == [90.0, 90.0]
    assert (chart["y"]["high"], chart["y"]["suffix"]) == (100, "%")


def test_one_spike_does_not_flatten_the_loss_and_is_told() -> None:
    loss = [2.3 * 0.95**s + 0.1 for s in range(100)]
    calm = charts.make_curve_chart("loss", curve_of(loss), [row(1)], frame())
    assert (calm["y"]["high"], calm["note"]) == (None, "")
    loss[40] = 500.0
    chart = charts.make_curve_chart("loss", curve_of(loss), [row(1)], frame())
    assert 2.4 < chart["y"]["high"] < 4  # the beginning is in view, the spike is not
    assert chart["note"] == "1 of 100 points lie beyond the axis, the farthest at 500."
    assert 500.0 in chart["lines"][0]["y"]  # it is there: a zoom shows it


def test_the_newest_point_is_always_in_view() -> None:
    loss = [2.3] * 95 + [40.0, 60.0, 80.0, 100.0, 120.0]
    chart = charts.make_curve_chart("loss", curve_of(loss), [], frame(charts.View(smoothing=0)))
    assert chart["y"]["high"] is None or chart["y"]["high"] > 120


def test_the_axis_of_the_accuracy_begins_where_the_run_is_worth_looking_at() -> None:
    early = [10 + 2 * s for s in range(40)]
    assert charts.find_bottom(early, early, [80.0]) is None  # still on its way
    late = [10.0, 50.0, 90.0] + [97 + s / 100 for s in range(200)]
    bottom = charts.find_bottom(late, late, [96.5, 98.0])
    assert bottom is not None
    assert 90 < bottom <= 96.5
    assert charts.find_bottom([], [], []) is None


def test_words_for_those_who_cannot_see_it() -> None:
    curve = Curve([1, 2], [0.1, 0.2], [2.0, 1.0], [0.1, 0.6], [1e-3] * 2, [1.0] * 2)
    text = charts.describe("accuracy", curve, [row(1)])
    assert "10.0%" in text
    assert "60.0%" in text
    assert "90.0%" in text
    assert "no points" in charts.describe("loss", Curve([], [], [], [], [], []), [])


@pytest.mark.parametrize(
    ("epoch", "epochs", "end"),
    [(0, 10, 1), (0.4, 10, 1), (1.01, 10, 2), (3.5, 10, 5), (9, 10, 10), (10, 10, 10), (3.5, 4, 4)],
)
def test_axis_grows_with_the_run_and_keeps_steps_and_epochs_together(epoch: float, epochs: int, end: int) -> None:
    span = charts.span(epoch, epochs, epochs * 63)
    assert (span.epochs, span.steps) == (end, end * 63)


def test_the_gradient_and_the_rate_are_drawn_beside_the_marks() -> None:
    norms = [3.0, math.nan, 0.5]  # the second point was recorded by an older version
    curve = Curve([1, 2, 3], [0.1, 0.2, 0.3], [1.0] * 3, [0.5] * 3, [1e-3, 2e-3, 1e-3], norms)
    marks, span = [Mark(2, 0.2, "lr", 2e-3, 0.0)], charts.Span(1.0, 10)
    gradient = charts.make_gradient_chart(curve, charts.Frame("abc", span, charts.View(smoothing=0), marks))
    assert gradient["y"]["log"]
    assert [line["y"] for line in gradient["lines"]] == [[3.0, None, 0.5]] * 2
    rate = charts.make_rate_chart(curve, charts.Frame("abc", span, marks=marks))
    assert rate["lines"][0]["y"] == [1e-3, 2e-3, 1e-3]
    assert [chart["marks"][0]["x"] for chart in (gradient, rate)] == [0.2, 0.2]
    json.dumps([gradient, rate], allow_nan=False)
    assert "first 3, last 0.5, highest 3" in charts.describe_gradient(curve)
    assert "first 0.001, last 0.001, highest 0.002" in charts.describe_rate(curve)
    empty = Curve([], [], [], [], [], [])
    assert "none was recorded" in charts.describe_gradient(empty)
    assert "no points" in charts.describe_rate(empty)


def test_axis_of_a_run_that_has_not_started() -> None:
    assert charts.span(0.0, 1, 0) == charts.Span(1.0, 1)


def test_a_single_batch_has_an_axis_too() -> None:
    assert charts.find_top([2.3], [2.3], []) is None
    assert charts.find_bottom([10.0], [10.0], []) is not None
    chart = charts.make_curve_chart("loss", curve_of([2.3]), [], frame())
    assert len(chart["points"]["x"]) == 1
