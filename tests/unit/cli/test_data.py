"""``python -m cnn_demo data``: what it prints, its JSON, its exit status."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torchvision

from cnn_demo.cli import data as command
from cnn_demo.datasets.specs import list_specs

NAMES = [spec.name for spec in list_specs()]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path))
    return tmp_path


def call(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="cnn-demo")
    command.add_parser(parser.add_subparsers(dest="command"))
    return command.run(parser.parse_args(["data", *words]))


def last_line(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("words", [(), ("list",)])
def test_the_list_names_every_set_and_what_is_here(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert call(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert [" here " in line for line in lines] == [True, False, False, False, False]


@pytest.mark.parametrize("words", [("--json",), ("list", "--json"), ("--json", "list")])
def test_the_list_as_json(capsys: pytest.CaptureFixture[str], root: Path, words: tuple[str, ...]) -> None:
    assert call(*words) == 0
    answer = last_line(capsys)
    assert answer["root"] == str(root)
    assert {entry["name"]: entry["available"] for entry in answer["datasets"]} == {
        name: name == "mnist-mini" for name in NAMES
    }


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info", "kmnist") == 0
    printed = capsys.readouterr().out
    assert "CC BY-SA 4.0" in printed
    assert "train-images-idx3-ubyte" in printed  # what is missing
    assert call("info", "cifar10", "--json") == 0
    assert last_line(capsys)["dataset"]["mean"] == [0.4914, 0.4822, 0.4465]


def test_download(capsys: pytest.CaptureFixture[str], served: Any) -> None:
    assert call("download", "mnist", "mnist-mini") == 0
    assert "mnist: fetched; 30 training and 20 test images" in capsys.readouterr().out
    assert call("download", "mnist") == 0
    assert "was here already" in capsys.readouterr().out
    assert call("download", "mnist", "mnist", "--json") == 0
    answer = last_line(capsys)
    assert [(entry["name"], entry["train"], entry["test"]) for entry in answer["ready"]] == [("mnist", 30, 20)]
    assert answer["failed"] == []


def test_a_failure_has_status_1_and_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], served: Any, mirror: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [mirror.url + "none/"])
    assert call("download", "fashion-mnist", "mnist", "--json") == 1
    captured = capsys.readouterr()
    answer = json.loads(captured.out.splitlines()[-1])
    assert [entry["name"] for entry in answer["ready"]] == ["mnist"]
    (failed,) = answer["failed"]
    assert (failed["name"], failed["reason"]) == ("fashion-mnist", "network")
    assert failed["tried"][0]["url"] == mirror.url + "none/train-images-idx3-ubyte.gz"
    assert failed["folder"] == str(root / "FashionMNIST" / "raw")
    assert "mnist-mini" in captured.err


def test_a_progress_bar_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], served: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("download", "mnist") == 0
    assert capsys.readouterr().err == ""
    for file in (root / "MNIST" / "raw").iterdir():
        file.unlink()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert call("download", "mnist") == 0
    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("download",), ("download", "imagenet"), ("info",), ("fetch",), ("list", "--xml")])
def test_a_wrong_command_line_has_status_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        call(*words)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--help",), ("list", "--help"), ("download", "--help"), ("info", "--help")])
def test_help(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        call(*words)
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out
