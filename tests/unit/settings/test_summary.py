"""A summary names what matters and no secret; a comparison names what differs, options included."""

from __future__ import annotations

from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.summary import list_differences, list_told, title_of


def told(config: TrainConfig) -> dict[str, object]:
    return {setting.name: value for setting, value in list_told(config)}


def test_a_summary_names_the_main_settings_and_what_is_not_at_its_default() -> None:
    plain = told(TrainConfig())
    assert {"dataset", "model", "epochs", "batch_size", "optimizer", "lr", "seed", "device"} == set(plain)
    assert told(TrainConfig(schedule="cosine", ema=0.9)) == {**plain, "schedule": "cosine", "ema": 0.9}


def test_options_of_what_is_chosen_are_told_where_they_are_not_at_their_default() -> None:
    assert "momentum" not in told(TrainConfig(optimizer="sgd"))
    assert told(TrainConfig(optimizer="sgd", options={"momentum": 0.5}))["momentum"] == 0.5


def test_no_secret_and_no_remark_is_told_or_compared() -> None:
    secret = TrainConfig(collection="abcdefgh1234", comment="for Ada")
    assert not {"collection", "comment"} & set(told(secret))
    assert list_differences(TrainConfig(), secret) == []


def test_two_runs_differ_in_settings_and_in_options() -> None:
    first = TrainConfig(lr=0.1, optimizer="sgd", options={"momentum": 0.5})
    found = {d.setting.name: (d.first, d.second) for d in list_differences(first, TrainConfig(lr=0.1))}
    assert found == {"optimizer": ("sgd", "adamw"), "momentum": (0.5, None), "nesterov": (False, None)}
    assert list_differences(first, first.replace()) == []


def test_values_are_said_as_people_say_them() -> None:
    described = TrainConfig(optimizer="sgd").described()
    assert title_of(described["optimizer"], "sgd") == "SGD"
    assert title_of(described["optimizer"], "of-another-version") == "of-another-version"
    assert title_of(described["lr"], 1e-4) == "0.0001"
