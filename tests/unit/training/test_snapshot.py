"""Checkpoints: whole or not there, and found out when they are damaged."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cnn_demo.models.registry import create_model
from cnn_demo.prediction.load import load_folder
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training import snapshot as files
from cnn_demo.training.events import CheckpointDue, Snapshot
from cnn_demo.training.loop import fit
from cnn_demo.training.snapshot import CheckpointUnreadable, load_snapshot, save_checkpoint, state_dict_pt
from tests.old_store import hash_tensors, rounds_as_there


def snapshot(step: int = 5, model: str = "cnn") -> Snapshot:
    torch.manual_seed(step)
    weights = create_model(model).to(memory_format=torch.channels_last).state_dict()
    moments = {i: {"exp_avg": torch.randn_like(value)} for i, value in enumerate(weights.values())}
    meta = {"config": TrainConfig(model=model).to_dict(), "step": step, "base_lr": 1e-3}
    return Snapshot(step, step / 10, weights, {"optimizer": {"state": moments}, "scaler": {}}, meta)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    made = snapshot()
    path = save_checkpoint(tmp_path / "checkpoints", made, {"run_id": "abc"})
    back = load_snapshot(path)
    assert path.name == "step-00000005"
    assert (back.step, back.epoch, back.meta["run_id"], back.meta["base_lr"]) == (5, 0.5, "abc", 1e-3)
    for name in made.weights:
        assert torch.equal(made.weights[name], back.weights[name])
    assert back.state.keys() == made.state.keys()
    moments = back.state["optimizer"]["state"]
    assert list(moments) == list(range(8))
    for number, state in made.state["optimizer"]["state"].items():
        assert torch.equal(state["exp_avg"], moments[number]["exp_avg"])
    assert sorted(p.name for p in path.parent.iterdir()) == ["step-00000005"], "no draft is left"


def test_model_needs_only_safetensors_and_json(tmp_path: Path) -> None:
    made = snapshot()
    path = save_checkpoint(tmp_path / "c", made)
    loaded = load_folder(path)
    x = torch.randn(2, 1, 28, 28)
    reference = create_model("cnn").eval()
    reference.load_state_dict(load_file(path / "weights.safetensors"))
    assert torch.equal(loaded.model(x), reference(x))
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    plain = torch.load(io.BytesIO(state_dict_pt(path)), weights_only=True)
    assert plain.keys() == reference.state_dict().keys()
    assert torch.equal(plain["fc1.weight"], made.weights["fc1.weight"])


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "c", snapshot())
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_folder(path)
    assert torch.equal(torch.rand(3), expected)


def test_only_the_last_two_keep_their_state(tmp_path: Path) -> None:
    paths = [save_checkpoint(tmp_path / "c", snapshot(step)) for step in (1, 2, 3)]
    assert [(p / "state.safetensors").exists() for p in paths] == [False, True, True]
    assert load_folder(paths[0]).step == 1
    with pytest.raises(CheckpointUnreadable, match=r"state\.safetensors"):
        load_snapshot(paths[0])
    weights_only = load_snapshot(paths[0], with_state=False)
    assert weights_only.state == {}
    assert torch.equal(weights_only.weights["fc2.bias"], snapshot(1).weights["fc2.bias"])


def test_a_format_of_the_future_is_refused_in_words(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "c", snapshot())
    meta = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps(meta | {"format": 3}))
    with pytest.raises(CheckpointUnreadable, match="format 3; this version reads up to 2"):
        load_snapshot(path)


def old_run(home: Path, expected: dict[str, Any], name: str) -> tuple[Snapshot, list[tuple[int, float]]]:
    """The last snapshot of a run that the old code stopped, and the learning rates that were set in it."""
    found = expected["runs"][name]
    path = sorted((home / found["id"] / "checkpoints").glob("step-*"))[-1]
    assert json.loads((path / "checkpoint.json").read_text())["format"] == 1
    return load_snapshot(path), [(step, value) for kind, step, value in found["marks"] if kind == "lr"]


@pytest.mark.parametrize("name", ["stopped-mid-epoch", "stopped-ema", "lr-changed", "crashed"])
def test_the_loop_takes_old_checkpoints_to_the_weights_of_the_old_code(
    old_home: Path, old_expected: dict[str, Any], name: str
) -> None:
    torch.set_num_threads(1)
    snapshot, lr_plan = old_run(old_home, old_expected, name)
    config = TrainConfig.from_dict(snapshot.meta["config"])
    *_, last = (e for e in fit(config, resume=snapshot, lr_plan=lr_plan) if isinstance(e, CheckpointDue))
    ended, expected = last.capture(), old_expected["resumed"]["runs"][name]
    assert (ended.step, ended.meta["base_lr"]) == (expected["step"], expected["base_lr"])
    for key, norm in expected["weights_norms"].items():
        assert float(ended.weights[key].double().norm()) == pytest.approx(norm, rel=1e-3)
    if rounds_as_there(old_expected["resumed"]["probe"]):
        assert hash_tensors(ended.weights) == expected["weights_sha256"]
        # The old names of the same tensors.
        parameters = [name for name, _ in create_model("cnn").named_parameters()]
        moments = ended.state["optimizer"]["state"].items()
        tensors = {f"{parameters[i]}.{key}": value for i, state in moments for key, value in state.items()}
        tensors |= {f"{key}.moved": value for key, value in ended.state.get("raw_weights", {}).items()}
        assert hash_tensors(tensors) == expected["optimizer_sha256"]


@pytest.mark.parametrize("name", ["weights.safetensors", "state.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_damage_is_found_and_named(tmp_path: Path, name: str, damage: str) -> None:
    path = save_checkpoint(tmp_path / "c", snapshot())
    file = path / name
    content = bytearray(file.read_bytes())
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[0 if name.endswith("json") else -3] ^= 0x55
        file.write_bytes(content)
    else:
        file.unlink()
    with pytest.raises(CheckpointUnreadable, match=name):
        load_snapshot(path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "c", snapshot())
    meta = json.loads((path / "checkpoint.json").read_text())
    meta["config"]["model"] = "resnet18"
    (path / "checkpoint.json").write_text(json.dumps(meta))
    with pytest.raises(CheckpointUnreadable, match="state_dict"):
        load_folder(path)


def test_full_disk_leaves_nothing_behind_and_the_old_one_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    old = save_checkpoint(folder, snapshot(1))
    calls = []

    def full(tensors: dict[str, torch.Tensor], path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            Path(path).write_bytes(b"x" * 1000)
            raise files.SafetensorError("I/O error: No space left on device (os error 28)")
        return save(tensors, path)

    save = files.save_file
    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        save_checkpoint(folder, snapshot(2))
    assert caught.value.errno == errno.ENOSPC
    assert [p.name for p in folder.iterdir()] == ["step-00000001"]
    assert load_snapshot(old).step == 1


def test_a_real_full_disk(tmp_path: Path) -> None:
    """A file system of 8 MB cannot hold a checkpoint of 20 MB."""
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            save_checkpoint(small / "c", snapshot())
        assert caught.value.errno == errno.ENOSPC
        assert list((small / "c").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_half_written_drafts_are_swept_away(tmp_path: Path) -> None:
    draft = tmp_path / "c" / ".step-00000007.123"
    draft.mkdir(parents=True)
    (draft / "weights.safetensors").write_bytes(b"half")
    save_checkpoint(tmp_path / "c", snapshot())
    assert not draft.exists()


def test_missing_parent_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_checkpoint(tmp_path / "deleted-run" / "checkpoints", snapshot())
