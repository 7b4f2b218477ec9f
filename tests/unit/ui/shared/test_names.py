"""Figures as people read them."""

from __future__ import annotations

import pytest

from cnn_demo.runs.records import RunState
from cnn_demo.settings.config import TrainConfig
from cnn_demo.ui.shared import names, theme
from cnn_demo.ui.shared.i18n import use
from cnn_demo.ui.shared.markup import escape, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (4800, "1 h 20 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert names.duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 MiB"), (536_870_912, "512 MiB"), (8_375_186_227, "7.8 GiB")])
def test_sizes(count: int, text: str) -> None:
    assert names.size(count) == text


def test_a_setting_is_said_with_its_value_in_both_languages() -> None:
    described = TrainConfig(optimizer="sgd").described()
    said = names.describe_setting
    assert said(described["dataset"], "mnist") == "mnist"
    assert said(described["optimizer"], "sgd") == "SGD"
    assert said(described["lr"], 1e-4) == "learning rate 0.0001"
    assert said(described["seed"], 123456) == "seed 123456"
    assert said(described["nesterov"], True) == "Nesterov momentum: yes"
    with use("zh_CN"):
        assert said(described["batch_size"], 2048) == "批大小 2048"


def test_accuracy_never_comes_without_its_n() -> None:
    assert names.accuracy(0.98765, 2000) == "98.77% of 2,000 test images"
    assert names.accuracy(0.98765, 0) == ""
    assert names.accuracy(None, 2000) == ""
    with use("zh_CN"):
        assert "2,000" in names.accuracy(0.98765, 2000)


def test_every_state_has_a_name_and_a_color() -> None:
    values = {state.value for state in RunState}
    assert values == set(names.STATE_TITLES) == set(theme.STATE_BADGES)


def test_a_name_cannot_format_or_break_a_table() -> None:
    wild = "a|b\n**c** [d](http://e) $x$ :red[f] <g>"
    escaped = escape(wild)
    assert "\n" not in escaped
    for sign in "|*[]()$<>":
        assert all(escaped[i - 1] == "\\" for i, s in enumerate(escaped) if s == sign)
    assert table(["A"], [[escaped]]).count("\n") == 2


def test_a_long_value_is_cut_in_a_summary() -> None:
    layers = "v1" + "; relu" * 40
    config = TrainConfig(model="builder", options={"layers": layers})
    said = names.describe_setting(config.described()["layers"], layers)
    assert said == f"Layers: {layers[:160]}…"
