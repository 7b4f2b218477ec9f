"""A bundle that was damaged, changed or mixed up is found out; a whole one agrees."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cnn_demo.cli import main
from cnn_demo.export.bundle import RECEIPT, write_bundle
from cnn_demo.export.verify import NoBundle, verify_bundle
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef

Contents = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a network with random weights; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("bundle")
    loaded = load_model(ModelRef.parse("untrained:cnn-tiny"), Store(folder / "runs"))
    write_bundle(loaded, None, folder / "net.zip", progress=lambda _part: None)
    return folder / "net.zip"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model of another bundle."""
    folder = tmp_path_factory.mktemp("other")
    loaded = load_model(ModelRef.parse("untrained:lenet5"), Store(folder / "runs"))
    write_bundle(loaded, None, folder / "net.zip", progress=lambda _part: None)
    return zipfile.ZipFile(folder / "net.zip").read("model.onnx")


def change(made: Path, path: Path, edit: Callable[[Contents], None]) -> Path:
    with zipfile.ZipFile(made) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    edit(contents)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def collect(path: Path) -> dict[str, tuple[str, str]]:
    return {finding.what: (finding.outcome, finding.words) for finding in verify_bundle(path)}


def test_a_whole_bundle_agrees(made: Path) -> None:
    found = collect(made)
    assert {what: outcome for what, (outcome, _words) in found.items()} == dict.fromkeys(
        ("files", "answers", "accuracy"), "agrees"
    )
    assert "2,000 test images of mnist-mini" in found["accuracy"][1]


def test_an_unpacked_bundle_agrees_too(made: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "preparation" / "__pycache__").mkdir()
    (tmp_path / "preparation" / "__pycache__" / "ink.pyc").write_bytes(b"cache")
    assert {outcome for outcome, _words in collect(tmp_path).values()} == {"agrees"}


def test_a_changed_file_is_named(made: Path, tmp_path: Path) -> None:
    def edit(contents: Contents) -> None:
        contents["labels.json"] = b'["1", "0"]'
        del contents["preparation/ink.py"]
        contents["extra.txt"] = b"?"

    found = collect(change(made, tmp_path / "net.zip", edit))
    assert found["labels.json"][0] == found["preparation/ink.py"][0] == "differs"
    assert "missing" in found["preparation/ink.py"][1]
    assert found["extra.txt"][0] == "note"
    assert "files" not in found
    assert found["answers"][0] == "agrees"  # the model itself is as it was


def test_other_weights_are_found_by_their_answers(made: Path, other: bytes, tmp_path: Path) -> None:
    path = change(made, tmp_path / "net.zip", lambda contents: contents.update({"model.onnx": other}))
    found = collect(path)
    assert found["model.onnx"][0] == "differs"
    assert found["answers"][0] == "differs"
    assert "weights" in found["answers"][1]


def test_a_model_that_cannot_be_run_is_said(made: Path, tmp_path: Path) -> None:
    path = change(made, tmp_path / "net.zip", lambda contents: contents.update({"model.onnx": b"no model"}))
    found = collect(path)
    assert found["model"][0] == "differs"
    assert "cannot be run" in found["model"][1]


def test_a_damaged_zip_is_told_file_by_file(made: Path, tmp_path: Path) -> None:
    content = bytearray(made.read_bytes())
    with zipfile.ZipFile(made) as archive:
        place = archive.getinfo("predict.py").header_offset + 60
    content[place : place + 40] = bytes(40)
    (tmp_path / "net.zip").write_bytes(content)
    found = collect(tmp_path / "net.zip")
    assert [what for what, (outcome, _words) in found.items() if outcome == "differs"] == ["predict.py"]


def test_accuracy_and_version_are_compared(made: Path, tmp_path: Path) -> None:
    def edit(contents: Contents) -> None:
        receipt = json.loads(contents[RECEIPT])
        receipt["accuracy"]["correct"] += 50
        receipt["versions"]["onnxruntime"] = "0.1"
        contents[RECEIPT] = json.dumps(receipt).encode()

    found = collect(change(made, tmp_path / "net.zip", edit))
    assert found["accuracy"][0] == "differs"
    assert found["versions"][0] == "note"
    assert "0.1 then" in found["versions"][1]


def test_a_data_set_that_is_not_here_is_no_fault(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path / "nothing"))

    def edit(contents: Contents) -> None:
        receipt = json.loads(contents[RECEIPT])
        receipt["accuracy"]["dataset"] = "fashion-mnist"
        contents[RECEIPT] = json.dumps(receipt).encode()

    found = collect(change(made, tmp_path / "net.zip", edit))
    assert found["accuracy"][0] == "note"


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.zip").write_bytes(content)
    with pytest.raises(NoBundle):
        list(verify_bundle(tmp_path / "net.zip"))


def test_the_command_tells_by_its_exit_status(
    made: Path, other: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(made)]) == 0
    assert "agrees   files: 19 files" in capsys.readouterr().out
    path = change(made, tmp_path / "net.zip", lambda contents: contents.update({"model.onnx": other}))
    assert main(["verify", str(path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["agrees"] is False
    assert {row["what"] for row in told["findings"] if row["outcome"] == "differs"} >= {"model.onnx", "answers"}
    assert main(["verify", str(tmp_path / "missing.zip")]) == 1
    assert "missing.zip" in capsys.readouterr().err
