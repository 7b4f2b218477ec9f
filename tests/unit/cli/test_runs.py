"""``python -m cnn_demo runs``: look at runs and steer them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cnn_demo.cli import main
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.made_networks import put_checkpoint
from tests.unit.cli.reading import complains, last_json


def test_runs_are_listed_renamed_and_exported(
    trained: tuple[Path, dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
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


def test_export_takes_a_reference(
    store: Store, make_run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("finished")
    models = {step: put_checkpoint(store, run, step=step, epoch=step / 20, seed=step) for step in (20, 40)}
    for reference, step in ((run.id, 40), (f"{run.id}@20", 20)):
        assert main(["runs", "export", reference, str(tmp_path / "w.safetensors")]) == 0
        weights = load_file(tmp_path / "w.safetensors")
        assert all(torch.equal(weights[name], value) for name, value in models[step].state_dict().items())
    capsys.readouterr()
    complains(["runs", "export", f"{run.id}@30", str(tmp_path / "x.pt")], 1, f"{run.id}@30", capsys)
    complains(["runs", "export", f"{run.id}@best", str(tmp_path / "x.pt")], 1, f"{run.id}@best", capsys)


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_damaged_weights_are_not_handed_out(
    store: Store, make_run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    run = make_run("finished")
    put_checkpoint(store, run)
    weights = store.checkpoints(run.id)[-1].path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    complains(["runs", "export", run.id, str(tmp_path / f"w.{kind}")], 1, "damaged", capsys)
    assert not (tmp_path / f"w.{kind}").exists()


def test_the_name_of_a_collection_is_never_printed(
    store: Store, make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    error = "collection = 'abcdefghjkmn': expected a collection with drawings"  # as older versions wrote
    run = make_run("failed", config=TrainConfig(collection="abcdefghjkmn", init="shipped"), error=error)
    for action, status in ((["show", run.id], 0), (["list"], 0), (["stop", run.id], 1)):
        for json_option in ([], ["--json"]):
            assert main(["runs", *action, *json_option]) == status
            assert "abcdefghjkmn" not in capsys.readouterr().out


@pytest.mark.parametrize("state", ["finished", "stopped", "failed", "crashed"])
@pytest.mark.parametrize("action", [["pause"], ["stop"], ["lr", "0.01"]], ids=lambda action: action[0])
def test_what_would_do_nothing_is_refused(
    make_run: Callable[..., Run], action: list[str], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(state)
    complains(["runs", action[0], run.id, *action[1:]], 1, f"run {run.id} is {state}: {action[0]}", capsys)


def test_a_run_that_waits_cannot_pause_but_can_be_stopped(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("queued")
    complains(["runs", "pause", run.id], 1, f"run {run.id} is queued", capsys)
    assert main(["runs", "lr", run.id, "0.01"]) == 0
    assert main(["runs", "stop", run.id]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{run.id}: stopped"


def test_delete_removes_row_and_files(
    store: Store, make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("finished")
    assert main(["runs", "delete", run.id, "--json"]) == 0
    assert last_json(capsys) == {"run_id": run.id, "deleted": True}
    assert not store.folder(run.id).exists()


@pytest.mark.parametrize(
    ("argv", "status", "word"),
    [
        (["runs", "stop", "nosuch"], 1, "nosuch"),
        (["runs", "lr", "nosuch", "50"], 2, "lr"),
        (["runs", "export", "nosuch", "w.pt"], 1, "nosuch"),
        (["runs", "export", "a@last", "w.pt"], 2, "a@last"),
    ],
)
def test_errors_name_what_is_wrong(argv: list[str], status: int, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    complains(argv, status, word, capsys)
