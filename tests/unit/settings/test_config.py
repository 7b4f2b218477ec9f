"""TrainConfig: every field is checked, and the error names it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from cnn_demo.settings.config import SETTINGS, ConfigError, TrainConfig, find_setting, list_every_setting
from cnn_demo.settings.description import Setting, Whole
from cnn_demo.training.optimizers import OPTIMIZERS


def test_defaults_are_the_promised_ones() -> None:
    config = TrainConfig()
    assert (config.dataset, config.model, config.batch_size, config.epochs, config.lr) == (
        "mnist-mini",
        "cnn",
        128,
        10,
        1e-3,
    )


BAD: dict[str, list[Any]] = {
    "dataset": ["", None, "imagenet"],
    "model": [3, "lenet"],
    "epochs": [0, 1001, 2.5, True],
    "batch_size": [0, 70_000],
    "lr": [0, -1e-3, float("nan"), 11.0, "fast"],
    "schedule": ["steps"],
    "weight_decay": [-0.1],
    "grad_clip": [-1.0, 1001.0],
    "label_smoothing": [-0.1, 1.0],
    "ema": [-0.1, 1.0, 0.999999, "much"],
    "optimizer": ["newton", None, ["sgd"]],
    "augment": ["mixed"],
    "device": ["gpu", "cuda:x", None],
    "precision": ["int8"],
    "seed": [-1, 2**32],
    "val_fraction": [0.6],
    "patience": [-1],
    "compile": ["maybe"],
    "comment": [5],
    "channels_last": [1],
    "init": ["shipped@3", "a run", "untrained:cnn"],
    "version": [0, 4],
    "freeze": [-1, 1.5, 201],
    "options": [5],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_bad_values_are_named(field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{field: value})
    assert caught.value.field == field
    assert caught.value.value == value or value != value
    assert field in str(caught.value)
    assert "must be" in str(caught.value)


def test_patience_needs_a_validation_split() -> None:
    with pytest.raises(ConfigError, match=r"val_fraction\) above 0"):
        TrainConfig(patience=3)
    assert TrainConfig(patience=3, val_fraction=0.1).patience == 3


def test_json_round_trip_and_unknown_fields() -> None:
    config = TrainConfig(dataset="mnist", lr=0.01, device="cuda:1", comment="x", optimizer="sgd")
    again = TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert (again, again.comment, again.version) == (config, "x", 3)
    with pytest.raises(ConfigError, match="wings"):
        TrainConfig.from_dict({"wings": 2})


def test_options_belong_to_what_is_chosen_and_are_filled_in() -> None:
    config = TrainConfig(optimizer="sgd", options={"momentum": 0.5})
    assert config.option("momentum") == 0.5
    assert TrainConfig(optimizer="sgd").option("momentum") == 0.9
    assert config == TrainConfig.from_values({"optimizer": "sgd", "momentum": 0.5})
    assert config.replace(momentum=0.7).option("momentum") == 0.7
    assert config.replace(optimizer="adamw").options.get("momentum") is None
    for wrong in ({"momentum": 0.5}, {"optimizer": "sgd", "momentum": 3.0}, {"optimizer": "sgd", "momentun": 0.5}):
        with pytest.raises(ConfigError) as caught:
            TrainConfig.from_values(wrong)
        assert caught.value.field.startswith("moment")


def test_a_config_does_not_share_its_options() -> None:
    mine = {"momentum": 0.5}
    config = TrainConfig(optimizer="sgd", options=mine)
    mine["momentum"] = 0.1
    config.to_dict()["options"]["momentum"] = 0.2
    assert config.option("momentum") == 0.5
    assert hash(config) == hash(config.replace())


def test_a_config_of_the_first_version_keeps_its_version() -> None:
    old = {"dataset": "mnist", "augment": "handwriting", "schedule": "cosine", "notes": "old words"}
    config = TrainConfig.from_dict(old)
    assert (config.version, config.comment, config.optimizer) == (1, "old words", "adamw")
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert config != TrainConfig.from_dict({**old, "version": 2})


def test_a_secret_is_shown_nowhere() -> None:
    config = TrainConfig(collection="abcdefgh12")
    assert config.to_dict()["collection"] == "abcdefgh12"  # the store needs it
    with pytest.raises(ConfigError) as caught:
        TrainConfig(collection="NoName")
    for text in (repr(config), repr(config.public_dict())):
        assert "abcdefgh12" not in text
    assert "NoName" not in str(caught.value) + repr(caught.value)


def test_every_setting_says_what_it_is() -> None:
    fields = {field.name for field in dataclasses.fields(TrainConfig)}
    assert fields == set(SETTINGS) | {"options", "version"}
    for setting, _owners in list_every_setting():
        assert setting.title
        assert setting.help.endswith(".")
        setting.check(setting.default)
        assert find_setting(setting.name) is setting


def test_an_option_with_the_name_of_a_setting_is_refused() -> None:
    OPTIMIZERS.add("twice", "Twice", "torch.optim:SGD", options=(Setting("epochs", 1, Whole(1, 2), "Epochs"),))
    try:
        with pytest.raises(ValueError, match="'epochs'"):
            TrainConfig(optimizer="twice")
    finally:
        OPTIMIZERS.remove("twice")


def test_frozen_and_replace_checks_again() -> None:
    config = TrainConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.lr = 1.0  # type: ignore[misc]
    with pytest.raises(ConfigError):
        config.replace(epochs=0)


def test_the_package_is_light_and_the_core_never_imports_streamlit() -> None:
    """In a fresh process: the package and the store load no torch, and the whole core no streamlit."""
    code = """
import sys, importlib, pathlib
import cnn_demo, cnn_demo.settings.config, cnn_demo.cli, cnn_demo.runs.store
import cnn_demo.runs.launcher, cnn_demo.runs.estimate
assert "torch" not in sys.modules, "torch was imported"
root = pathlib.Path(cnn_demo.__file__).parent
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root.parent).with_suffix("").parts
    if "ui" not in parts and parts[-1] != "__main__":
        importlib.import_module(".".join(p for p in parts if p != "__init__"))
assert "torch" in sys.modules
assert "streamlit" not in sys.modules, "streamlit was imported"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
