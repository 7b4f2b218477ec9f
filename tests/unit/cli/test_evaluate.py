"""``python -m cnn_demo evaluate``: the same figures as training, and a word about unfair tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_demo.cli import main
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.made_networks import mark_best, put_checkpoint
from tests.unit.cli.reading import complains, last_json


def test_evaluate_agrees_with_train(
    trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, result = trained
    monkeypatch.setenv("CNN_DEMO_HOME", str(home))
    assert main(["evaluate", result["run_id"], "--json"]) == 0
    again = last_json(capsys)
    assert (again["n"], again["accuracy"]) == (2000, result["accuracy"])
    assert again["loss"] == pytest.approx(result["loss"], rel=1e-4)
    assert again["warning"] is None
    assert main(["evaluate", result["run_id"]]) == 0
    assert re.search(r"accuracy \d+\.\d+%.*n = 2,000", capsys.readouterr().out)


def test_a_network_is_named_by_its_reference(
    store: Store, make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("finished")
    put_checkpoint(store, run, step=20, epoch=1, seed=1)
    put_checkpoint(store, run, seed=2)
    mark_best(store, run, 1)
    for argv, step in (
        ([run.id], 20),
        ([f"{run.id}@best"], 20),
        ([f"{run.id}@60"], 60),
        ([run.id, "--step", "60"], 60),
    ):
        assert main(["evaluate", *argv, "--json"]) == 0
        result = last_json(capsys)
        assert (result["run_id"], result["step"], result["n"]) == (run.id, step, 2000)
    assert main(["evaluate", "untrained:cnn", "--json"]) == 0
    assert last_json(capsys)["accuracy"] < 0.3


def test_evaluate_on_images_of_another_shape_is_refused(
    trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
        (["evaluate", "no such"], 2, "no such"),
        (["evaluate", "imagenet:random"], 2, "imagenet"),
        (["evaluate", "--dataset", "imagenet"], 2, "imagenet"),
        (["evaluate", "--device", "cuda:9"], 2, "cuda:9"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    complains(argv, status, word, capsys)


def test_a_class_that_was_held_out_has_its_own_figure(
    store: Store, make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("finished", config=TrainConfig(model="clip-small", options={"held_out": 4}))
    put_checkpoint(store, run)
    assert main(["evaluate", run.id, "--json"]) == 0
    result = last_json(capsys)
    figure = result["held_out"]
    assert (figure["label"], figure["n"] + figure["others_n"]) == (4, 2000)
    assert figure["found"] + figure["others_right"] == round(result["accuracy"] * 2000)
    assert main(["evaluate", run.id]) == 0
    assert f"class 4, held out of training: {figure['found']} of {figure['n']} found" in capsys.readouterr().out
