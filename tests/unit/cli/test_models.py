"""``models`` lists every entry of the table, for people and as JSON."""

from __future__ import annotations

import pytest

from cnn_demo.cli import main
from cnn_demo.models.registry import MODELS
from tests.unit.cli.reading import complains, last_json


def test_models_are_listed_with_size_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    found = {model["name"]: model for model in last_json(capsys)["models"]}
    assert tuple(found) == MODELS.names
    # Weights and biases of two convolutions and two linear layers; one multiply-add for each weight at each place.
    assert found["cnn"]["parameters"] == 1_630_090
    assert found["cnn"]["multiply_adds"] == 28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 3136 * 512 + 512 * 10
    width = next(option for option in found["cnn"]["options"] if option["name"] == "width")
    assert (width["default"], width["expected"]) == (32, "a whole number from 4 to 128")

    assert main(["models", "--dataset", "cifar10", "--json"]) == 0
    colored = last_json(capsys)
    assert (colored["channels"], colored["size"]) == (3, 32)
    assert next(model for model in colored["models"] if model["name"] == "cnn")["parameters"] == 2_122_186

    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(MODELS.names)
    assert "1,630,090" in lines[1]


def test_an_unknown_data_set_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    complains(["models", "--dataset", "imagenet"], 2, "imagenet", capsys)
