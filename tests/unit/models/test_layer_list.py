"""The text that keeps a list of layers."""

from __future__ import annotations

import pytest

from cnn_demo.models.layer_list import DEFAULT_TEXT, LAYERS, MAX_TEXT, LayerText, Row, format_rows, parse_rows
from cnn_demo.settings.errors import ConfigError


def test_a_text_is_read_and_written_again() -> None:
    text = "v1; conv channels=8 kernel=5 bias=no; relu; max-pool stride=1; dropout rate=0.25; linear width=64"
    rows = parse_rows(text)
    assert rows[0] == Row("conv", {"channels": 8, "kernel": 5, "bias": False})
    assert rows[3].values == {"rate": 0.25}
    assert format_rows(rows) == text
    assert parse_rows(text.replace("; ", "\n")) == rows
    assert format_rows(parse_rows(DEFAULT_TEXT)) == DEFAULT_TEXT


def test_what_is_at_its_default_is_not_written() -> None:
    assert format_rows([Row("conv", {"kernel": 3, "padding": None, "stride": 2})]) == "v1; conv stride=2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with its version"),
        ("v2; relu", "begins with its version"),
        ("v1; relu; convolution", r"2: convolution.*one of conv, batch-norm"),
        ("v1; conv 32", r"1: conv 32.*NAME=VALUE.*conv has: channels, kernel"),
        ("v1; conv width=3", r"NAME=VALUE.*conv has: channels"),
        ("v1; conv kernel=3 kernel=5", "each once"),
        ("v1; relu channels=3", r"relu has: –"),
        ("v1; __import__('os')", "one of conv"),
    ],
)
def test_what_is_no_list_is_explained(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_rows(text)


def test_a_text_has_a_limit() -> None:
    assert LayerText().accepts(DEFAULT_TEXT)
    assert not LayerText().accepts("v1; " + "relu; " * MAX_TEXT)


def test_every_kind_of_layer_has_its_arithmetic_and_defaults_that_can_be_used() -> None:
    for entry in LAYERS:
        assert callable(entry.load())
        for option in entry.options:
            assert option.default is None or option.kind.accepts(option.default), (entry.name, option.name)
