"""``python -m cnn_demo runs``: look at runs and steer them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cnn_demo.cli import main
from cnn_demo.runs.store import Store
from tests.unit.cli.reading import complains, last_json


def test_runs_are_listed_renamed_and_exported(trained, capsys, monkeypatch, tmp_path: Path) -> None:
    finished, result = trained
    home = shutil.copytree(finished, tmp_path / "home")
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


@pytest.mark.parametrize(
    ("argv", "status", "word"),
    [
        (["runs", "stop", "nosuch"], 1, "nosuch"),
        (["runs", "lr", "nosuch", "50"], 2, "lr"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys) -> None:
    complains(argv, status, word, capsys)
