"""Checkpoints: safetensors and JSON in a folder, written so that a folder is either whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cnn_demo.training.events import Snapshot

WEIGHTS, OPTIMIZER, META = "weights.safetensors", "optimizer.safetensors", "checkpoint.json"
# Adam's moments are twice the size of the weights and serve only to go on from here: the last two are enough.
_KEEP_OPTIMIZERS = 2


class CheckpointUnreadable(RuntimeError):
    """The files of a checkpoint are missing or damaged.

    Attributes:
        path: the folder.
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"checkpoint {path.name} cannot be read: {reason}")
        self.path, self.reason = path, reason


def checkpoint_name(step: int) -> str:
    """The folder name of a step's checkpoint; names sort as steps do."""
    return f"step-{step:08d}"


def save_checkpoint(folder: Path, snapshot: Snapshot, extra: dict[str, Any] | None = None) -> Path:
    """Write a snapshot into ``folder / step-…``, all or nothing.

    The files are written and synced in a hidden neighbor folder, which is then renamed: a process killed at any
    moment leaves no half checkpoint behind.

    Args:
        folder: the run's checkpoint folder; its parent must exist.
        snapshot: what to keep.
        extra: more JSON for the meta file.

    Returns:
        The new folder.

    Raises:
        OSError: the disk is full or the folder is gone; nothing is left behind.
    """
    folder.mkdir(exist_ok=True)
    final, draft = folder / checkpoint_name(snapshot.step), folder / f".{checkpoint_name(snapshot.step)}.{os.getpid()}"
    for left_over in folder.glob(".step-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    try:
        draft.mkdir()
        sums = {}
        for name, tensors in ((WEIGHTS, snapshot.weights), (OPTIMIZER, snapshot.optimizer)):
            if not tensors:
                continue
            with _disk_errors(draft / name):
                save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, draft / name)
            sums[name] = _sync_and_sum(draft / name)
        meta = {"format": 1, **snapshot.meta, "epoch": snapshot.epoch, "sha256": sums, **(extra or {})}
        (draft / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
        _sync_and_sum(draft / META)
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    for old in sorted(folder.glob("step-*"))[:-_KEEP_OPTIMIZERS]:
        (old / OPTIMIZER).unlink(missing_ok=True)
    return final


@contextlib.contextmanager
def _disk_errors(path: Path) -> Any:
    """safetensors wraps the system's errors in its own; give a full disk its errno back."""
    try:
        yield
    except SafetensorError as error:
        text = str(error)
        if "os error 28" in text or "No space left" in text:
            raise OSError(28, "No space left on device", str(path)) from error
        raise OSError(5, text, str(path)) from error


def _sync_and_sum(path: Path) -> str:
    with path.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sum(path)
        os.fsync(file.fileno())
    return digest


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_meta(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint folder.

    Raises:
        CheckpointUnreadable: it is missing or damaged.
    """
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        meta["config"], meta["step"], meta["sha256"][WEIGHTS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointUnreadable(path, f"{META}: {error}") from error
    return dict(meta)


def read_tensors(path: Path, name: str, meta: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of one file of a checkpoint folder, after its SHA-256 was compared with the recorded one.

    Raises:
        CheckpointUnreadable: it is missing or damaged.
    """
    try:
        if _sum(path / name) != meta["sha256"][name]:
            raise CheckpointUnreadable(path, f"{name} is damaged (its SHA-256 is not the recorded one)")
        return load_file(path / name)
    except (OSError, KeyError, SafetensorError) as error:
        raise CheckpointUnreadable(path, f"{name}: {error}") from error


def load_snapshot(path: Path) -> Snapshot:
    """Read a checkpoint folder back for going on with training.

    Raises:
        CheckpointUnreadable: a file is missing or damaged, or the optimizer's state is no longer kept.
    """
    meta = read_meta(path)
    optimizer = read_tensors(path, OPTIMIZER, meta) if OPTIMIZER in meta["sha256"] else {}
    return Snapshot(meta["step"], meta["epoch"], read_tensors(path, WEIGHTS, meta), optimizer, meta)


def state_dict_pt(path: Path) -> bytes:
    """The weights of a checkpoint as the bytes of a ``torch.save`` file with a plain ``state_dict``.

    Read it back with ``model.load_state_dict(torch.load(file, weights_only=True))``.

    Raises:
        CheckpointUnreadable: a file is missing or damaged.
    """
    out = io.BytesIO()
    torch.save(read_tensors(path, WEIGHTS, read_meta(path)), out)
    return out.getvalue()
