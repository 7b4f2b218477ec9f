"""``python -m cnn_demo evaluate``: the same figures as training, and a word about unfair tests."""

from __future__ import annotations

import re

import pytest

from cnn_demo.cli import main
from tests.unit.cli.reading import complains, last_json


def test_evaluate_agrees_with_train(trained, capsys, monkeypatch) -> None:
    home, result = trained
    monkeypatch.setenv("CNN_DEMO_HOME", str(home))
    assert main(["evaluate", result["run_id"], "--json"]) == 0
    again = last_json(capsys)
    assert (again["n"], again["accuracy"]) == (2000, result["accuracy"])
    assert again["loss"] == pytest.approx(result["loss"], rel=1e-4)
    assert again["warning"] is None
    assert main(["evaluate", result["run_id"]]) == 0
    assert re.search(r"accuracy \d+\.\d+%.*n = 2,000", capsys.readouterr().out)


def test_evaluate_on_images_of_another_shape_is_refused(trained, capsys, monkeypatch) -> None:
    home, result = trained
    monkeypatch.setenv("CNN_DEMO_HOME", str(home))
    assert main(["evaluate", result["run_id"], "--dataset", "cifar10"]) == 2
    assert "cifar10" in capsys.readouterr().err


def test_mnist_model_on_mnist_mini_is_called_unfair() -> None:
    from cnn_demo.cli.evaluate import overlap

    assert "not a fair test" in overlap("mnist", "mnist-mini")
    assert overlap("mnist-mini", "mnist-mini") == overlap("mnist", "mnist") == ""


@pytest.mark.parametrize(
    ("argv", "status", "word"),
    [
        (["evaluate", "nosuch"], 1, "nosuch"),
        (["evaluate", "--dataset", "imagenet"], 2, "imagenet"),
        (["evaluate", "--device", "cuda:9"], 2, "cuda:9"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys) -> None:
    complains(argv, status, word, capsys)
