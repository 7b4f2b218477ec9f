"""The command line as a shell user meets it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import cnn_demo.cli.predict
from cnn_demo.cli import COMMANDS, main
from cnn_demo.datasets.load import load_dataset
from cnn_demo.models.registry import create_model
from cnn_demo.prediction import load
from cnn_demo.runs.records import RunState
from cnn_demo.runs.store import Store
from cnn_demo.training.events import Snapshot
from cnn_demo.training.snapshot import save_checkpoint

QUICK = ["train", "--epochs", "1", "--batch-size", "1000", "--device", "cpu"]


def last_json(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """One short run in a store of its own, and what the command printed."""
    home = tmp_path_factory.mktemp("cli-home")
    env = {**os.environ, "CNN_DEMO_HOME": str(home)}
    command = [sys.executable, "-m", "cnn_demo", *QUICK, "--json", "--name", "short", "--save", str(home / "saved")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return home, json.loads(done.stdout.strip().splitlines()[-1])


def test_train_reports_what_it_did(trained) -> None:
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


def test_saved_folder_holds_a_model(trained) -> None:
    home, _ = trained
    loaded = load.load_folder(home / "saved")
    assert loaded.step == 8
    assert sorted(p.name for p in (home / "saved").iterdir()) == ["checkpoint.json", "weights.safetensors"]


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


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A stand-in for the model that ships, whose weights are known."""
    torch.manual_seed(5)
    model = create_model("cnn").eval()
    meta = {"config": {"dataset": "mnist"}, "step": 1}
    path = save_checkpoint(tmp_path / "c", Snapshot(1, 1.0, model.state_dict(), {}, meta))
    monkeypatch.setattr(load, "SHIPPED", path)
    return model


def write_digits(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    images = load_dataset("mnist-mini").test.images[:count, 0].numpy()
    paths = [folder / f"{i}.png" for i in range(count)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC).save(path)
    return paths


def test_predict_takes_files_and_folders_as_one_batch(shipped, tmp_path: Path, capsys, monkeypatch) -> None:
    from cnn_demo.datasets.specs import get_spec
    from cnn_demo.drawing.prepare import open_image, prepare

    inside = write_digits(tmp_path / "folder" / "deep", 5)
    single = write_digits(tmp_path / "other", 1)
    (tmp_path / "folder" / "readme.txt").write_text("not a picture")
    monkeypatch.setattr(cnn_demo.cli.predict, "_BATCH", 4)
    assert main(["predict", str(single[0]), str(tmp_path / "folder"), "--json"]) == 0
    result = last_json(capsys)
    files = [str(single[0]), *map(str, inside)]
    assert [p["file"] for p in result["predictions"]] == files
    for row in result["predictions"]:
        with torch.no_grad():
            expected = shipped(prepare(open_image(row["file"]), get_spec("mnist")).input).softmax(1)[0]
        assert row["probabilities"] == pytest.approx(expected.tolist(), abs=1e-5)
        assert row["label"] == str(int(expected.argmax()))
        assert row["verdict"] is None
    assert not result["calibrated"]


def test_predict_judges_as_the_page_does_where_there_is_a_calibration(shipped, tmp_path: Path, capsys) -> None:
    from cnn_demo.datasets.specs import get_spec
    from cnn_demo.drawing.prepare import open_image, prepare
    from cnn_demo.prediction.calibration import Calibration
    from cnn_demo.prediction.predictor import predict_drawing

    spec, files = get_spec("mnist"), write_digits(tmp_path / "in", 8)
    with torch.no_grad():
        energies = torch.cat([shipped(prepare(open_image(file), spec).input) for file in files]).logsumexp(1)
    calibration = Calibration(0.02, float(energies.median()), 100, 0.02)
    calibration.save(load.SHIPPED / "calibration.json")
    assert main(["predict", str(tmp_path / "in"), "--json"]) == 0
    result = last_json(capsys)
    assert result["calibrated"]
    for file, row in zip(files, result["predictions"], strict=True):
        verdict = predict_drawing(shipped, prepare(open_image(file), spec), spec, calibration).verdict
        assert row["verdict"] == verdict.kind
        assert row["probabilities"] == pytest.approx(verdict.probabilities, abs=1e-5)
        assert (row["label"], row["runner_up"]) == (str(verdict.top), str(verdict.runner_up))
    assert len({row["verdict"] for row in result["predictions"]}) > 1
    # A probability that would be rounded to 1 is not called certain.
    dataclasses.replace(calibration, temperature=1e-5).save(load.SHIPPED / "calibration.json")
    assert main(["predict", str(files[0])]) == 0
    word = result["predictions"][0]["verdict"].replace("_", " ")
    assert capsys.readouterr().out.strip().split("\t")[-2:] == [">99.9%", word]


def test_predict_says_which_file_is_wrong_and_answers_for_the_rest(shipped, tmp_path: Path, capsys) -> None:
    good = write_digits(tmp_path, 1)[0]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG not really")
    assert main(["predict", str(bad), str(good), "--json"]) == 1
    captured = capsys.readouterr()
    result = json.loads(captured.out.strip().splitlines()[-1])
    assert [p["file"] for p in result["predictions"]] == [str(good)]
    assert result["errors"][0]["file"] == str(bad)
    assert str(bad) in captured.err


def test_predict_of_an_empty_pad_is_no_digit(shipped, tmp_path: Path, capsys) -> None:
    Image.fromarray(np.zeros((280, 280), np.uint8)).save(tmp_path / "empty.png")
    assert main(["predict", str(tmp_path / "empty.png"), "--json"]) == 0
    row = last_json(capsys)["predictions"][0]
    assert row["label"] is None
    assert "empty" in row["notes"]


def test_predict_writes_every_stage(shipped, tmp_path: Path) -> None:
    picture = write_digits(tmp_path / "in", 1)[0]
    assert main(["predict", str(picture), "--stages", str(tmp_path / "out")]) == 0
    written = sorted((tmp_path / "out" / picture.stem).iterdir())
    assert len(written) >= 4
    assert Image.open(written[-1]).size == (28, 28)


@pytest.mark.parametrize(
    ("argv", "status", "word"),
    [
        (["predict", "/no/such/file.png"], 1, "/no/such/file.png"),
        (["predict", "--model", "nosuch", __file__], 1, "nosuch"),
        (["evaluate", "nosuch"], 1, "nosuch"),
        (["evaluate", "--dataset", "imagenet"], 2, "imagenet"),
        (["evaluate", "--device", "cuda:9"], 2, "cuda:9"),
        (["train", "--lr", "-1"], 2, "lr"),
        (["train", "--dataset", "imagenet"], 2, "imagenet"),
        (["train", "--model", "lenet"], 2, "lenet"),
        (["train", "--patience", "2"], 2, "val_fraction"),
        (["runs", "stop", "nosuch"], 1, "nosuch"),
        (["runs", "lr", "nosuch", "50"], 2, "lr"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys) -> None:
    assert main(argv) == status
    captured = capsys.readouterr()
    assert word in captured.err
    assert captured.err.startswith("error: ")
    assert captured.out == ""


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS], ["runs", "export"], ["data", "download"]])
def test_every_command_has_help(command: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["fly"], ["train", "--epochs", "many"], ["train", "--schedule", "zigzag"], ["predict"]]
)
def test_wrong_command_lines_end_with_two(argv: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_runs_are_listed_renamed_exported_and_deleted(trained, capsys, monkeypatch, tmp_path: Path) -> None:
    home, result = trained
    monkeypatch.setenv("CNN_DEMO_HOME", str(home))
    run_id = result["run_id"]
    assert main(["runs", "rename", run_id, "better name"]) == 0
    assert main(["runs", "list", "--json"]) == 0
    assert [(r["run_id"], r["name"]) for r in last_json(capsys)["runs"]] == [(run_id, "better name")]
    assert main(["runs", "show", run_id]) == 0
    assert "epoch   1" in capsys.readouterr().out
    for name in ("w.pt", "w.safetensors", "m.csv"):
        assert main(["runs", "export", run_id, str(tmp_path / name)]) == 0
    plain = torch.load(tmp_path / "w.pt", weights_only=True)
    other = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(plain[name], other[name]) for name in other)
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 1 + 8
    assert main(["runs", "export", run_id, str(tmp_path / "w.h5")]) == 2
    assert main(["runs", "resume", run_id]) == 1
    assert "nothing is left to do" in capsys.readouterr().err


def test_delete_removes_row_and_files(store: Store, make_run, capsys) -> None:
    run = make_run("finished")
    assert main(["runs", "delete", run.id, "--json"]) == 0
    assert last_json(capsys) == {"run_id": run.id, "deleted": True}
    assert not store.folder(run.id).exists()


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


def test_a_closed_pipe_is_no_traceback(trained) -> None:
    home, _ = trained
    env = {**os.environ, "CNN_DEMO_HOME": str(home)}
    line = f"{sys.executable} -m cnn_demo runs show {Store(home).list()[0].id} | true"
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
