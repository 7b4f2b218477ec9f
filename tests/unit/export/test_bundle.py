"""A bundle is made, unpacked, and run in an environment of its own; its answers are the Draw page's."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_demo.export import bundle, onnx_file
from cnn_demo.export.bundle import RECEIPT, BundleReceipt, write_bundle
from cnn_demo.export.formats import FORMATS, ExportFailed
from cnn_demo.export.receipt import Receipt
from cnn_demo.export.reference_answers import ReferenceAnswers, make_reference_answers
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.ensure_chromium import in_ci
from tests.unit.export.test_preparation_code import make_pictures


@pytest.fixture
def shipped(store: Store) -> LoadedModel:
    return load_model(ModelRef.parse("shipped"), store)


@pytest.fixture
def tiny(store: Store) -> LoadedModel:
    return load_model(ModelRef.parse("untrained:cnn-tiny"), store)


def unpack(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def create_environment(folder: Path, requirements: Path) -> Path:
    """The Python of a fresh environment with these packages alone; the test is skipped where pip reaches nobody."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        requirements,
    ]
    done = subprocess.run(install, capture_output=True, text=True, timeout=800, check=False)
    if done.returncode:
        reason = f"pip cannot install {requirements.name} here: {done.stderr.strip().splitlines()[-1]}"
        if in_ci():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return python


@pytest.mark.timeout(1200)
def test_the_script_runs_in_a_clean_environment_and_answers_as_the_page(shipped: LoadedModel, tmp_path: Path) -> None:
    calibration = load_calibration(shipped)
    write_bundle(shipped, calibration, tmp_path / "net.zip", progress=lambda _part: None)
    folder = unpack(tmp_path / "net.zip", tmp_path / "net")
    pictures = make_pictures()
    paths = [tmp_path / f"{name}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        Image.fromarray(picture).save(path)
    python = create_environment(tmp_path / "venv", folder / "requirements.txt")
    # -I: no package of this environment, no user site
    run: list[str | Path] = [
        python,
        "-I",
        "-c",
        "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('predict.py', run_name='__main__')",
    ]
    missing = tmp_path / "missing.png"
    done = subprocess.run([*run, *paths, missing], cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    *lines, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert "missing.png" in last["error"]
    answers = Predictor(shipped, calibration).predict(list(pictures.values()))
    for line, wanted, name in zip(lines, answers, pictures, strict=True):
        assert line["verdict"] == wanted.verdict.kind, name
        assert line["warnings"] == list(wanted.drawing.warnings)
        assert np.abs(np.array(line["probabilities"]) - wanted.probabilities).max() < 1e-3
        assert line["label"] == (None if wanted.drawing.empty else shipped.classes[wanted.verdict.top])


def test_what_a_bundle_holds(tiny: LoadedModel, tmp_path: Path) -> None:
    told: list[float] = []
    receipt = write_bundle(tiny, None, tmp_path / "net.zip", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    folder = unpack(tmp_path / "net.zip", tmp_path / "net")
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert names == {*receipt.files, RECEIPT, "RECEIPT.md"}
    assert BundleReceipt.from_json((folder / RECEIPT).read_text()) == receipt
    assert receipt.accuracy is not None
    assert receipt.accuracy.n == 2000
    assert receipt.largest_difference < 1e-4
    assert receipt.comparison is not None
    compared = Receipt.from_json(json.dumps(receipt.comparison))
    torch_row, onnx_row = compared.rows
    assert (onnx_row.correct, onnx_row.agreement, onnx_row.holds) == (receipt.accuracy.correct, 1.0, True)
    assert torch_row.correct == onnx_row.correct
    table = (folder / "RECEIPT.md").read_text()
    assert f"| model.onnx | {onnx_row.accuracy:.2%} [" in table
    assert "n = 2,000 test images of mnist-mini" in table
    script = (folder / "predict.py").read_text()
    assert len(script.splitlines()) <= 30
    imports = {name.name for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Import) for name in node.names}
    assert imports == {"json", "sys", "onnxruntime"}
    assert json.loads((folder / "labels.json").read_text()) == list("0123456789")
    assert json.loads((folder / "calibration.json").read_text()) is None
    assert "2,000 test images of mnist-mini" in (folder / "RECEIPT.md").read_text()
    assert str(tmp_path) not in "".join(
        file.read_text("utf-8", "ignore") for file in folder.rglob("*") if file.is_file()
    )


def test_the_same_network_gives_the_same_bytes_but_for_date_and_times(tiny: LoadedModel, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bundle(tiny, None, tmp_path / f"{name}.zip", progress=lambda _part: None)
    one, two = (zipfile.ZipFile(tmp_path / f"{name}.zip") for name in ("one", "two"))
    assert one.namelist() == two.namelist() == sorted(one.namelist())
    differing = {name for name in one.namelist() if one.read(name) != two.read(name)}
    assert differing <= {RECEIPT, "RECEIPT.md"}
    assert {entry.date_time for entry in one.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    first, second = (json.loads(archive.read(RECEIPT)) for archive in (one, two))
    for receipt in (first, second):
        receipt["made"] = receipt["comparison"]["made"] = ""
        for row in receipt["comparison"]["rows"]:
            row["latencies"] = []
    assert first == second


@pytest.mark.parametrize("name", ["onnx", "bundle"])
def test_a_model_that_answers_otherwise_is_not_handed_out(
    name: str, tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(loaded: LoadedModel) -> ReferenceAnswers:
        found = make_reference_answers(loaded)
        return ReferenceAnswers(found.inputs, found.logits + np.float32(0.01))

    for module in (bundle, onnx_file):
        monkeypatch.setattr(module, "make_reference_answers", spoil)
    with pytest.raises(ExportFailed, match=r"up to 0\.01 in a logit"):
        FORMATS.get(name).load()(tiny, tmp_path, {"disturbed": False}, lambda _part: None)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("text", ["[]", '{"format": 99}', '{"format": 1}', "no JSON"])
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"receipt|Expecting"):
        BundleReceipt.from_json(text)
