"""The table of formats: every builder keeps to the contract, and says what it lacks."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_demo.export.formats import FORMATS, Exported, ExportFailed, list_missing
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef


@pytest.mark.parametrize("name", [entry.name for entry in FORMATS if not entry.facts.get("gpu")])
def test_a_builder_makes_one_file_and_tells_how_far_it_is(name: str, store: Store, tmp_path: Path) -> None:
    loaded = load_model(ModelRef.parse("untrained:cnn-tiny"), store)
    entry = FORMATS.get(name)
    told: list[float] = []
    folder = tmp_path / "out"
    folder.mkdir()
    options = {option.name: option.default for option in entry.options}
    made = entry.load()(loaded, folder, options, told.append)
    assert isinstance(made, Exported)
    assert list(folder.iterdir()) == [made.path]
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize("name", ["int8", "html", "bundle", "onnx_prepared", "tensorrt"])
def test_a_network_for_photographs_is_refused(name: str, store: Store, tmp_path: Path) -> None:
    loaded = load_model(ModelRef.parse("imagenet:random"), store)
    entry = FORMATS.get(name)
    with pytest.raises(ExportFailed, match="photographs"):
        entry.load()(loaded, tmp_path, {option.name: option.default for option in entry.options}, lambda _part: None)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_missing("html") == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else object())
    assert list_missing("bundle") == ["onnxruntime"]


def test_the_table_and_the_command_line_bring_neither_torch_nor_onnx() -> None:
    code = "import sys, cnn_demo.export.formats, cnn_demo.cli.export, cnn_demo.cli.verify\n"
    code += "heavy = {'torch', 'onnx', 'onnxruntime', 'onnxscript'} & set(sys.modules)\nassert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
