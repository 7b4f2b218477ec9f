"""The form offers what there is, and says what is wrong with a value by the name of the field."""

from __future__ import annotations

import pytest

from cnn_demo.settings.config import SETTINGS, ConfigError, TrainConfig
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import use
from cnn_demo.ui.train import form


def test_nothing_of_a_run_but_secrets_is_lost_when_its_settings_are_used_again() -> None:
    config = TrainConfig(optimizer="sgd")
    assert set(form.shown_values(config)) | set(form.CARRIED) == set(config.values()) - {"collection", "comment"}


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
    text = names.config_error(caught.value)
    assert f"**{SETTINGS[caught.value.field].title}**" in text
    assert said in text


def test_errors_are_said_in_the_language_of_the_visitor() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(batch_size=0)
    with use("zh_CN"):
        text = names.config_error(caught.value)
        assert names.setting("batch_size") in text
    assert "Batch" not in text
    assert "65536" in text
