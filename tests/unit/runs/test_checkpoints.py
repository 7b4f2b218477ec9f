"""Checkpoints: whole or not there, and found out when they are damaged."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cnn_demo.models.registry import create_model
from cnn_demo.prediction.load import load_folder
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training import snapshot as files
from cnn_demo.training.events import Snapshot
from cnn_demo.training.snapshot import CheckpointUnreadable, load_snapshot, save_checkpoint, state_dict_pt


def snapshot(step: int = 5, model: str = "cnn") -> Snapshot:
    torch.manual_seed(step)
    weights = create_model(model).to(memory_format=torch.channels_last).state_dict()
    optimizer = {f"{name}.exp_avg": torch.randn_like(value) for name, value in weights.items()}
    meta = {"config": TrainConfig(model=model).to_dict(), "step": step, "base_lr": 1e-3}
    return Snapshot(step, step / 10, weights, optimizer, meta)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    made = snapshot()
    path = save_checkpoint(tmp_path / "checkpoints", made, {"run_id": "abc"})
    back = load_snapshot(path)
    assert path.name == "step-00000005"
    assert (back.step, back.epoch, back.meta["run_id"], back.meta["base_lr"]) == (5, 0.5, "abc", 1e-3)
    for name in made.weights:
        assert torch.equal(made.weights[name], back.weights[name])
        assert torch.equal(made.optimizer[f"{name}.exp_avg"], back.optimizer[f"{name}.exp_avg"])
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


def test_only_the_last_two_keep_the_optimizer(tmp_path: Path) -> None:
    paths = [save_checkpoint(tmp_path / "c", snapshot(step)) for step in (1, 2, 3)]
    assert [(p / "optimizer.safetensors").exists() for p in paths] == [False, True, True]
    assert load_folder(paths[0]).step == 1
    with pytest.raises(CheckpointUnreadable, match="optimizer"):
        load_snapshot(paths[0])


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "checkpoint.json"])
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

    def full(tensors, path):
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
