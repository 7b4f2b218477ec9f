"""Kinds of settings: which values each takes, and what it says about the others."""

from __future__ import annotations

import pytest

from cnn_demo.settings.description import Choice, Flag, Kind, Real, Setting, Text, Whole
from cnn_demo.settings.errors import HIDDEN, ConfigError

PAIR = Choice((("one", "The first"), ("two", "The second")))
CASES: list[tuple[Kind, list[object], list[object]]] = [
    (Whole(1, 9), [1, 9], [0, 10, 1.0, True, "1", None]),
    (Real(0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), float("inf"), False, "0.5", None]),
    (Real(0, 1, open_low=True), [1e-9, 1], [0, 0.0]),
    (Flag(), [True, False], [0, 1, "true", None]),
    (PAIR, ["one", "two"], ["One", "", None, 1, ["one"]]),
    (Choice("cnn_demo.training.schedules:SCHEDULES"), ["constant", "cosine"], ["zigzag"]),
    (Text("a+"), ["a", "aaa"], ["", "ab", "a\n", 1, None]),
    (Text(), ["", "words\nof two lines"], [None, 3]),
]


@pytest.mark.parametrize(("kind", "good", "bad"), CASES)
def test_a_kind_takes_its_values_only(kind: Kind, good: list[object], bad: list[object]) -> None:
    setting = Setting("it", None, kind, "It")
    for value in good:
        setting.check(value)
    for value in bad:
        with pytest.raises(ConfigError) as caught:
            setting.check(value)
        assert caught.value.field == "it"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(Whole(1, 9), "3", 3), (Real(0, 1), "1e-1", 0.1), (PAIR, "two", "two"), (Text(), "", "")],
)
def test_a_text_is_parsed(kind: Kind, text: str, value: object) -> None:
    assert Setting("it", None, kind, "It").parse(text) == value


@pytest.mark.parametrize(("kind", "text"), [(Whole(1, 9), "3.5"), (Whole(1, 9), "10"), (Real(0, 1), "half")])
def test_a_text_without_a_value_is_named(kind: Kind, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Setting("it", None, kind, "It").parse(text)


def test_the_value_of_a_secret_is_hidden() -> None:
    with pytest.raises(ConfigError) as caught:
        Setting("key", "", Text("a+"), "Key", secret=True).parse("opensesame")
    assert caught.value.value == HIDDEN
    assert "opensesame" not in str(caught.value)


def test_options_come_with_the_choice_that_has_them() -> None:
    optimizer = Setting("optimizer", "adamw", Choice("cnn_demo.training.optimizers:OPTIMIZERS"), "Optimizer")
    assert [option.name for option in optimizer.options("sgd")] == ["momentum", "nesterov"]
    assert optimizer.options("adamw") == optimizer.options("of another version") == ()
    assert Setting("it", "one", PAIR, "It").options("one") == ()
