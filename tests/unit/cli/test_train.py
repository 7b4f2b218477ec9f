"""``python -m cnn_demo train``: what it reports and keeps, and how it ends."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_demo.cli import main
from cnn_demo.datasets.splits import Split
from cnn_demo.prediction import load
from cnn_demo.runs.records import RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.handwriting import Handwriting
from tests.unit.cli.reading import complains, last_json


def test_train_reports_what_it_did(trained: tuple[Path, dict[str, Any]]) -> None:
    home, result = trained
    wanted = {"run_id", "dataset", "n", "accuracy", "loss", "seconds", "samples_per_second", "device", "versions"}
    assert wanted <= result.keys()
    assert (result["dataset"], result["n"], result["device"], result["state"]) == (
        "mnist-mini",
        2000,
        "cpu",
        "finished",
    )
    assert result["samples_per_second"] == pytest.approx(8000 / result["seconds"])
    run = Store(home).get(result["run_id"])
    assert (run.state, run.name, run.test_accuracy) == (RunState.FINISHED, "short", result["accuracy"])
    assert {"torch", "python", "cnn_demo"} <= result["versions"].keys()


def test_a_terminal_sees_how_far_the_samples_are_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(self: Handwriting, train: Split, report: Callable[[float], None]) -> Split:
        for part in (0.25, 0.5, 0.75):
            report(part)
            time.sleep(0.3)  # a saying is told a few times a second at most
        return train.take(torch.arange(100))

    monkeypatch.setattr(Handwriting, "extra_samples", draw)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    options = ["--epochs", "1", "--augment", "handwriting", "--model", "cnn-tiny", "--device", "cpu"]
    assert main(["train", *options]) == 0
    told = capsys.readouterr().err
    assert [part for part in ("25%", "50%", "75%") if f"drawing samples {part}" in told] == ["25%", "50%", "75%"]
    assert "drawing samples" not in told.rsplit("loss", 1)[-1]


def test_saved_folder_holds_a_model(trained: tuple[Path, dict[str, Any]]) -> None:
    home, result = trained
    assert result["network"] == f"{result['run_id']}@8"
    assert result["saved"] == str(home / "saved")
    loaded = load.load_folder(home / "saved")
    assert loaded.step == 8
    assert sorted(p.name for p in (home / "saved").iterdir()) == ["checkpoint.json", "weights.safetensors"]
    meta = json.loads((home / "saved" / "checkpoint.json").read_text())
    assert list(meta["sha256"]) == ["weights.safetensors"]  # nothing points to what was left behind
    assert "state" not in meta


def test_the_best_checkpoint_by_validation_is_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The learning rate is so high that later epochs make the network worse."""
    options = ["--lr", "0.05", "--epochs", "4", "--batch-size", "1000", "--val-fraction", "0.5", "--device", "cpu"]
    assert main(["train", *options, "--json", "--save", str(tmp_path / "saved")]) == 0
    result = last_json(capsys)
    epochs = Store().epochs(result["run_id"])
    best = min(epochs, key=lambda row: row.val_loss or 0.0)
    assert best is not epochs[-1], "the test needs a run whose last epoch is not its best"
    assert result["network"] == f"{result['run_id']}@{best.step}"
    assert load.load_folder(tmp_path / "saved").step == best.step


@pytest.mark.parametrize(
    ("argv", "status", "word"),
    [
        (["train", "--patience", "2"], 2, "val_fraction"),
        (["train", "--momentum", "0.5"], 2, "momentum"),
        (["train", "--precision", "fp16", "--device", "cpu"], 2, "fp16 needs CUDA"),
        (["train", "--device", "cuda:9"], 2, "device = 'cuda:9': must be a device of this machine"),
        (["lr-find", "--device", "cuda:9"], 2, "device = 'cuda:9': must be a device of this machine"),
        (["lr-find", "--precision", "fp16", "--device", "cpu"], 2, "fp16 needs CUDA"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    complains(argv, status, word, capsys)


def test_a_change_that_spoils_targets_is_said_and_trained(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--augment", "random", "--rotation", "180", "--model", "cnn-tiny", "--batch-size", "4000"]
    assert main(["train", *options, "--epochs", "1", "--device", "cpu"]) == 0
    assert "warning: Turned by up to 180°, a 6 becomes a 9" in capsys.readouterr().err


def test_ctrl_c_stops_in_order(tmp_path: Path) -> None:
    env = {**os.environ, "CNN_DEMO_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "cnn_demo", "train", "--epochs", "500", "--device", "cpu", "--json"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    store = Store(tmp_path)
    end = time.monotonic() + 120
    while not (store.list() and store.list()[0].step > 3):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping after this batch" in err
    result = json.loads(out.strip().splitlines()[-1])
    assert result["state"] == "stopped"
    run = store.list()[0]
    assert run.state is RunState.STOPPED
    assert store.checkpoints(run.id)[-1].step == run.step == result["steps"]


@pytest.mark.parametrize(
    ("arithmetic", "flags", "wanted"),
    [("slow", [], "fp32"), ("slow", ["--precision", "bf16"], "bf16"), ("fast", [], "bf16")],
)
def test_a_preset_trains_in_a_precision_that_is_a_gain_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arithmetic: str, flags: list[str], wanted: str
) -> None:
    class Launched(Exception):
        pass

    def launch(_store: Store, config: TrainConfig, _args: argparse.Namespace) -> None:
        assert config.precision == wanted
        raise Launched

    monkeypatch.setattr("cnn_demo.cli.train._train_here", launch)
    monkeypatch.setattr("cnn_demo.training.device.find_arithmetic", lambda _device: {"bf16": arithmetic})
    with pytest.raises(Launched):
        main(["train", "--preset", "record", "--device", "cpu", *flags])
    assert ("no gain on this device" in capsys.readouterr().err) == (wanted == "fp32")
