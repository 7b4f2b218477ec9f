"""TrainConfig: every field is checked, and the error names it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from cnn_demo.settings.config import ConfigError, TrainConfig


def test_defaults_are_the_promised_ones() -> None:
    config = TrainConfig()
    assert (config.dataset, config.model, config.batch_size, config.epochs, config.lr) == (
        "mnist-mini",
        "cnn",
        128,
        10,
        1e-3,
    )


BAD = {
    "dataset": ["", None],
    "model": [3],
    "epochs": [0, 1001, 2.5, True],
    "batch_size": [0, 70_000],
    "lr": [0, -1e-3, float("nan"), 11.0, "fast"],
    "schedule": ["step"],
    "weight_decay": [-0.1],
    "ema": [-0.1, 1.0, 0.999999, "much"],
    "augment": ["mixup"],
    "device": ["gpu", "cuda:x", None],
    "precision": ["int8"],
    "seed": [-1, 2**32],
    "val_fraction": [0.6],
    "patience": [-1],
    "compile": ["maybe"],
    "notes": [5],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_bad_values_are_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{field: value})
    assert caught.value.field == field
    assert caught.value.value == value or value != value
    assert field in str(caught.value)
    assert "expected" in str(caught.value)


def test_patience_needs_a_validation_split() -> None:
    with pytest.raises(ConfigError, match="val_fraction above 0"):
        TrainConfig(patience=3)
    assert TrainConfig(patience=3, val_fraction=0.1).patience == 3


def test_json_round_trip_and_unknown_fields() -> None:
    config = TrainConfig(dataset="mnist", lr=0.01, device="cuda:1", notes="x")
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ConfigError, match="momentum"):
        TrainConfig.from_dict({"momentum": 0.9})


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
