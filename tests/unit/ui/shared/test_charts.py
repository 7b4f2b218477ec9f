"""The options of the curves: what is drawn where, and that smoothing is what it says."""

from __future__ import annotations

import json
import math
import random

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


def option(metric: charts.Metric = "loss", *, view: charts.View | None = None, val: float | None = None) -> dict:
    steps = list(range(1, 26))
    loss = [2.0 / s for s in steps]
    curve = Curve(steps, [s / 10 for s in steps], loss, [1 - v / 4 for v in loss], [1e-3] * 25, loss)
    marks = [Mark(12, 1.2, "lr", 5e-4, 0.0), Mark(15, 1.5, "pause", None, 0.0)]
    view = view or charts.View()
    return charts.curve_option(metric, curve, [row(1, val=val), row(2, val=val)], marks, charts.Span(3.0, 30), view)


def test_raw_points_stay_behind_their_average_at_any_smoothing() -> None:
    for smoothing in (0.0, 0.98):
        raw, average = option(view=charts.View(smoothing=smoothing))["series"][:2]
        assert [point[1] for point in raw["data"]] == pytest.approx([2.0 / s for s in range(1, 26)], abs=1e-5)
        assert raw["lineStyle"]["opacity"] < average["lineStyle"]["opacity"] == 1
        assert raw["name"] == average["name"]


def test_steps_and_epochs_share_one_axis() -> None:
    chart = option()
    below, above = chart["xAxis"]
    assert (below["max"], above["max"]) == (3.0, 30)
    for x, _value, step in chart["series"][0]["data"]:
        assert x / below["max"] == pytest.approx(step / above["max"])  # one place on the axis, whichever way it is read
    test = chart["series"][-1]
    assert [point[0] for point in test["data"]] == [1, 2]
    assert [point[2] for point in test["data"]] == [10, 20]


def test_only_changes_of_the_rate_are_marked() -> None:
    lines = option()["series"][1]["markLine"]["data"]
    assert [line["xAxis"] for line in lines] == [1.2]
    assert "0.0005" in lines[0]["name"]


def test_validation_appears_only_when_there_is_some() -> None:
    assert [s["name"] for s in option()["series"]] == ["Train", "Train", "Test"]
    assert [s["name"] for s in option(val=0.45)["series"]] == ["Train", "Train", "Validation", "Test"]


def test_log_scale_drops_what_it_cannot_show() -> None:
    curve = Curve([1, 2, 3], [0.1, 0.2, 0.3], [0.0, math.nan, 0.5], [0.1, 0.2, 0.3], [1e-3] * 3, [1.0] * 3)
    view = charts.View(smoothing=0, log=True)
    chart = charts.curve_option("loss", curve, [], [], charts.Span(1.0, 10), view)
    assert chart["yAxis"]["type"] == "log"
    assert [p[1] for p in chart["series"][0]["data"]] == [None, None, 0.5]
    assert charts.curve_option("accuracy", curve, [], [], charts.Span(1.0, 10), view)["yAxis"]["type"] == "value"
    json.dumps(chart, allow_nan=False)


def test_accuracy_is_in_percent() -> None:
    chart = option("accuracy")
    assert [p[1] for p in chart["series"][-1]["data"]] == [90.0, 90.0]
    assert chart["yAxis"]["max"] == 100


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
    gradient = charts.gradient_option(curve, marks, span, charts.View(smoothing=0))
    assert gradient["yAxis"]["type"] == "log"
    assert [[p[1] for p in line["data"]] for line in gradient["series"]] == [[3.0, None, 0.5]] * 2
    rate = charts.rate_option(curve, marks, span)
    assert [p[1] for p in rate["series"][0]["data"]] == [1e-3, 2e-3, 1e-3]
    assert [chart["series"][-1]["markLine"]["data"][0]["xAxis"] for chart in (gradient, rate)] == [0.2, 0.2]
    json.dumps([gradient, rate], allow_nan=False)
    assert "first 3, last 0.5, highest 3" in charts.describe_gradient(curve)
    assert "first 0.001, last 0.001, highest 0.002" in charts.describe_rate(curve)
    empty = Curve([], [], [], [], [], [])
    assert "none was recorded" in charts.describe_gradient(empty)
    assert "no points" in charts.describe_rate(empty)


def test_axis_of_a_run_that_has_not_started() -> None:
    assert charts.span(0.0, 1, 0) == charts.Span(1.0, 1)
