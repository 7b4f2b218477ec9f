"""``python -m cnn_demo predict``: the answers of the page, for files and folders."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnn_demo.cli import main
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.pictures import open_image
from cnn_demo.drawing.prepare import prepare
from cnn_demo.models.registry import create_model
from cnn_demo.prediction import load, logits
from cnn_demo.prediction.calibration import Calibration
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.training.events import Snapshot
from cnn_demo.training.snapshot import save_checkpoint
from tests.made_networks import as_loaded, put_checkpoint
from tests.unit.cli.reading import complains, last_json


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


def test_predict_takes_files_and_folders_as_one_batch(
    shipped: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    inside = write_digits(tmp_path / "folder" / "deep", 5)
    single = write_digits(tmp_path / "other", 1)
    (tmp_path / "folder" / "readme.txt").write_text("not a picture")
    monkeypatch.setattr(logits, "BATCH", 4)
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


def test_predict_judges_as_the_page_does_where_there_is_a_calibration(
    shipped: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, files = get_spec("mnist"), write_digits(tmp_path / "in", 8)
    with torch.no_grad():
        energies = torch.cat([shipped(prepare(open_image(file), spec).input) for file in files]).logsumexp(1)
    calibration = Calibration(0.02, float(energies.median()), 100, 0.02)
    calibration.save(load.SHIPPED / "calibration.json")
    assert main(["predict", str(tmp_path / "in"), "--json"]) == 0
    result = last_json(capsys)
    assert result["calibrated"]
    answers = Predictor(as_loaded(shipped, "mnist"), calibration).predict([open_image(file) for file in files])
    for answer, row in zip(answers, result["predictions"], strict=True):
        verdict = answer.verdict
        assert row["verdict"] == verdict.kind
        assert row["probabilities"] == pytest.approx(verdict.probabilities, abs=1e-5)
        assert (row["label"], row["runner_up"]) == (str(verdict.top), str(verdict.runner_up))
    assert len({row["verdict"] for row in result["predictions"]}) > 1
    # A probability that would be rounded to 1 is not called certain.
    dataclasses.replace(calibration, temperature=1e-5).save(load.SHIPPED / "calibration.json")
    assert main(["predict", str(files[0])]) == 0
    word = result["predictions"][0]["verdict"].replace("_", " ")
    assert capsys.readouterr().out.strip().split("\t")[-2:] == [">99.9%", word]


def test_predict_says_which_file_is_wrong_and_answers_for_the_rest(
    shipped: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_digits(tmp_path, 1)[0]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG not really")
    assert main(["predict", str(bad), str(good), "--json"]) == 1
    captured = capsys.readouterr()
    result = json.loads(captured.out.strip().splitlines()[-1])
    assert [p["file"] for p in result["predictions"]] == [str(good)]
    assert result["errors"][0]["file"] == str(bad)
    assert captured.err.count("bad.png") == 1
    assert str(bad) in captured.err


def test_a_missing_file_does_not_cost_the_others_their_answers(
    shipped: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_digits(tmp_path / "in", 2)
    (tmp_path / "empty").mkdir()
    missing = [str(tmp_path / "missing.png"), str(tmp_path / "empty")]
    assert main(["predict", str(good[0]), *missing, str(good[1]), "--json"]) == 1
    captured = capsys.readouterr()
    result = json.loads(captured.out.strip().splitlines()[-1])
    assert [p["file"] for p in result["predictions"]] == [str(good[0]), str(good[1])]
    assert [e["file"] for e in result["errors"]] == missing
    assert "no such file" in captured.err
    assert "no pictures" in captured.err


def test_a_network_is_named_by_its_reference(
    store: Store, make_run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("finished")
    first = put_checkpoint(store, run, step=20, epoch=1, seed=1)
    last = put_checkpoint(store, run, seed=2)
    picture = write_digits(tmp_path, 1)[0]
    asked = (
        (["--net", f"{run.id}@20"], first, 20),
        (["--net", run.id], last, 60),
        (["--model", run.id], last, 60),
        (["--model", run.id, "--step", "20"], first, 20),
    )
    for option, model, step in asked:
        assert main(["predict", str(picture), *option, "--json"]) == 0
        result = last_json(capsys)
        expected = Predictor(as_loaded(model)).predict([open_image(picture)])[0]
        assert (result["model"], result["step"]) == (run.id, step)
        assert result["predictions"][0]["probabilities"] == pytest.approx(expected.probabilities)
    assert main(["predict", str(picture), "--net", "untrained:cnn", "--json"]) == 0
    assert last_json(capsys)["model"] == "untrained:cnn"


def test_predict_of_an_empty_pad_is_no_digit(
    shipped: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((280, 280), np.uint8)).save(tmp_path / "empty.png")
    assert main(["predict", str(tmp_path / "empty.png"), "--json"]) == 0
    row = last_json(capsys)["predictions"][0]
    assert row["label"] is None
    assert "empty" in row["warnings"]


def test_predict_writes_every_stage(shipped: nn.Module, tmp_path: Path) -> None:
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
        (["predict", "--net", "no such", __file__], 2, "no such"),
        (["predict", "--net", "untrained:lenet", __file__], 2, "lenet"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    complains(argv, status, word, capsys)
