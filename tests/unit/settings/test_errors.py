"""The error of a setting: one English sentence, and the same in parts that can be stored and translated."""

from __future__ import annotations

import json

from cnn_demo.settings.errors import ConfigError, fill


def test_the_sentence_names_the_setting_the_value_and_what_it_must_be() -> None:
    error = ConfigError("epochs", 0, "a whole number from {low} to {high}", low=1, high=1000)
    assert str(error) == "epochs = 0: must be a whole number from 1 to 1000"
    assert error.expected == "a whole number from 1 to 1000"


def test_a_message_without_values_may_hold_braces() -> None:
    assert fill("shape {3}", {}) == "shape {3}"


def test_the_parts_can_be_stored() -> None:
    error = ConfigError("device", "cuda:9", "a device of this machine: {names}", names="auto, cpu")
    again = ConfigError.from_dict(json.loads(json.dumps(error.to_dict())))
    assert str(again) == str(error)
    assert ConfigError.from_dict({"field": "device"}) is None  # as older versions stored it
    assert ConfigError.from_dict({}) is None
