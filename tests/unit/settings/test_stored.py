"""A stored config of any version opens, and says what it could not read."""

from __future__ import annotations

import json

import pytest

from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.stored import load_stored_config


def test_a_config_of_this_version_opens_without_a_problem() -> None:
    config = TrainConfig(epochs=3, optimizer="sgd", options={"momentum": 0.1}, comment="mine")
    for data in (config.to_dict(), json.dumps(config.to_dict())):
        stored = load_stored_config(data)
        assert (stored.config, stored.config.comment, stored.unknown, stored.problem) == (config, "mine", {}, "")


def test_a_config_of_the_first_version_opens_without_a_problem() -> None:
    stored = load_stored_config({"dataset": "kmnist", "epochs": 2, "notes": "old"})
    assert (stored.config.dataset, stored.config.epochs, stored.config.comment) == ("kmnist", 2, "old")
    assert (stored.config.version, stored.problem) == (1, "")


def test_what_is_not_understood_is_kept_aside_and_named() -> None:
    data = {"epochs": 4, "wings": 2, "model": "of-next-year", "lr": "fast", "options": {"feathers": 3}, "version": 3}
    stored = load_stored_config(data)
    assert stored.config == TrainConfig(epochs=4)
    assert stored.unknown == {"wings": 2, "model": "of-next-year", "lr": "fast", "feathers": 3}
    for name in stored.unknown:
        assert name in stored.problem


@pytest.mark.parametrize("data", [None, 5, [], "", "{", "[1]", {"options": 7}, {"version": 99}, {1: 2}, {"seed": None}])
def test_nothing_raises(data: object) -> None:
    stored = load_stored_config(data)
    assert stored.problem
    assert stored.config in (TrainConfig(), TrainConfig(version=1))


def test_settings_that_do_not_fit_together_are_named() -> None:
    stored = load_stored_config({"patience": 5, "version": 3})
    assert stored.unknown == {"patience": 5}
    assert stored.config == TrainConfig()
