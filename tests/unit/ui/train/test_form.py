"""The form offers what there is, and says what is wrong with a value by the name of the field."""

from __future__ import annotations

import dataclasses
import re

import pytest

from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.ui.shared import names
from cnn_demo.ui.train import form


@pytest.mark.parametrize("preset", form.PRESETS, ids=lambda preset: preset.name)
def test_presets_are_valid_and_reachable(preset: form.Preset) -> None:
    TrainConfig(**preset.changes)
    assert set(preset.changes) <= set(form.FIELDS)


def test_presets_differ() -> None:
    assert len({TrainConfig(**preset.changes) for preset in form.PRESETS}) == len(form.PRESETS)


def test_every_setting_has_a_title() -> None:
    fields = {field.name for field in dataclasses.fields(TrainConfig)} - {"notes"}
    assert fields == set(names.SETTING_TITLES)
    assert set(form.FIELDS) | set(form.CARRIED) == fields  # nothing of a run is lost when its settings are used again


def test_model_titles_are_the_registry() -> None:
    from cnn_demo.models.registry import MODELS

    assert {spec.name: spec.title for spec in MODELS} == names.MODEL_TITLES


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "a whole number from 1 to 1000"),
        ({"lr": 0.0}, "a number above 0 and at most 10"),
        ({"weight_decay": 2.0}, "a number from 0 to 1"),
        ({"precision": "fp8"}, "one of fp32, bf16, fp16"),
        ({"patience": 3}, "validation fraction"),
    ],
)
def test_errors_name_the_field_as_the_form_does(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**changes)
    text = form.say(caught.value)
    assert f"**{names.SETTING_TITLES[caught.value.field]}**" in text
    assert said in text


def test_ranges_can_be_said_in_any_language() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(batch_size=0)
    assert any(re.fullmatch(pattern, caught.value.expected) for pattern, _message in form.EXPECTED)
