"""The plot of the range test: what is marked, what a click means, what it says in words."""

from __future__ import annotations

import json

from cnn_demo.ui.train.rate_test import describe_plot, plot_option

POINTS = [[1e-4, 2.3, 2.3], [1e-3, 2.0, 2.1], [1e-2, 0.5, 0.9], [1e-1, 30.0, 3.5]]


def test_each_rate_has_a_column_that_can_be_clicked_and_the_suggestion_its_line() -> None:
    option = plot_option(POINTS, 1.1e-3)
    bars, loss, average = option["series"]
    assert option["xAxis"]["data"] == ["0.0001", "0.001", "0.01", "0.1"]
    assert (bars["selectedMode"], len(bars["data"])) == ("single", 4)
    assert set(bars["data"]) == {bars["data"][0]}
    assert bars["data"][0] >= option["yAxis"]["max"] - 1e-3
    assert (loss["data"], average["data"]) == ([2.3, 2.0, 0.5, 30.0], [2.3, 2.1, 0.9, 3.5])
    assert average["markLine"]["data"] == [{"xAxis": 1}]
    assert 2.3 < option["yAxis"]["max"] < 5  # the explosion does not set the scale
    json.dumps(option, allow_nan=False)


def test_without_a_suggestion_nothing_is_marked() -> None:
    option = plot_option(POINTS, None)
    assert "markLine" not in option["series"][2]
    assert "Suggested" not in describe_plot(POINTS, None)


def test_words_for_those_who_cannot_see_it() -> None:
    text = describe_plot(POINTS, 0.001)
    assert "from 0.0001 to 0.1: 2.300 at first, lowest 0.900 at the rate 0.01" in text
    assert text.endswith("Suggested: 0.001.")
