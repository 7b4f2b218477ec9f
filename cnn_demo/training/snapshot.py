"""Checkpoints: safetensors and JSON in a folder, written so that a folder is either whole or not there.

Format 2 holds the weights in ``weights.safetensors``, the tensors of all other state in ``state.safetensors``, and
everything that is no tensor in ``checkpoint.json``. Format 1 (commit 953c0f6 and before) is migrated when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cnn_demo.datasets.specs import get_spec
from cnn_demo.models.registry import create_model
from cnn_demo.training.events import Snapshot
from cnn_demo.training.state import pack_state, unpack_state

FORMAT = 2
WEIGHTS, STATE, META = "weights.safetensors", "state.safetensors", "checkpoint.json"
_STATE_1 = "optimizer.safetensors"  # of format 1
# An optimizer's moments are up to twice the size of the weights and serve only to go on from here: the last two are
# enough.
_KEEP_STATES = 2


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
    state_tensors: dict[str, Tensor] = {}
    state = pack_state(snapshot.state, state_tensors)
    try:
        draft.mkdir()
        sums = {}
        for name, tensors in ((WEIGHTS, snapshot.weights), (STATE, state_tensors)):
            if not tensors:
                continue
            with _disk_errors(draft / name):
                save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, draft / name)
            sums[name] = _sync_and_sum(draft / name)
        meta = {"format": FORMAT, **snapshot.meta, "epoch": snapshot.epoch, "sha256": sums, **(extra or {})}
        (draft / META).write_text(json.dumps({**meta, "state": state}, indent=1), encoding="utf-8")
        _sync_and_sum(draft / META)
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    for old in sorted(folder.glob("step-*"))[:-_KEEP_STATES]:
        for name in (STATE, _STATE_1):
            (old / name).unlink(missing_ok=True)
    return final


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
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
        os.fsync(file.fileno())
    return _sum(path)


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_meta(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint folder, in the names of the present format.

    Raises:
        CheckpointUnreadable: it is missing or damaged, or of a format that this version does not know.
    """
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        meta["config"], meta["step"], meta["sha256"][WEIGHTS]
        known = meta.setdefault("format", 1) <= FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointUnreadable(path, f"{META}: {error}") from error
    if not known:
        raise CheckpointUnreadable(path, f"{META} has format {meta['format']}; this version reads up to {FORMAT}")
    if meta["format"] == 1:
        meta["best_step"] = meta.get("best_epoch", 0) * meta.get("steps_per_epoch", 0)
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


def load_snapshot(path: Path, *, with_state: bool = True) -> Snapshot:
    """Read a checkpoint folder back for going on with training.

    Args:
        path: the folder.
        with_state: read everything. False reads the weights only: moments and the like then begin anew.

    Raises:
        CheckpointUnreadable: a file is missing or damaged, or the state is no longer kept.
    """
    meta = read_meta(path)
    weights = read_tensors(path, WEIGHTS, meta)
    state = _read_state(path, meta) if with_state else {}
    kept = {name: value for name, value in meta.items() if name != "state"}
    return Snapshot(meta["step"], meta["epoch"], weights, state, kept)


def _read_state(path: Path, meta: dict[str, Any]) -> dict[str, Any]:
    name = STATE if meta["format"] == FORMAT else _STATE_1
    tensors = read_tensors(path, name, meta) if name in meta["sha256"] else {}
    try:
        if meta["format"] == 1:
            return _migrate_state(meta, tensors)
        state: dict[str, Any] = unpack_state(meta["state"], tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointUnreadable(path, f"{META} does not fit {name}: {error}") from error
    return state


def _migrate_state(meta: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The state that format 1 kept as ``<parameter>.<key>`` of AdamW, and ``<name>.moved`` for the raw weights."""
    config = meta["config"]
    spec = get_spec(config["dataset"])
    with torch.device("meta"):  # only the order of its parameters is needed
        model = create_model(config["model"], channels=spec.channels, size=spec.size, classes=len(spec.classes))
    numbers = {name: number for number, (name, _) in enumerate(model.named_parameters())}
    stand_ins = [torch.zeros(1) for _ in numbers]
    adamw = torch.optim.AdamW(stand_ins, lr=config["lr"], weight_decay=config.get("weight_decay", 0.0), fused=True)
    state: dict[str, Any] = {"optimizer": adamw.state_dict(), "scaler": meta["scaler"]}
    raw_weights = {}
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition(".")
        if key == "moved":
            raw_weights[name] = tensor
        else:
            state["optimizer"]["state"].setdefault(numbers[name], {})[key] = tensor
    return state | ({"raw_weights": raw_weights} if raw_weights else {})


def state_dict_pt(path: Path) -> bytes:
    """The weights of a checkpoint as the bytes of a ``torch.save`` file with a plain ``state_dict``.

    Read it back with ``model.load_state_dict(torch.load(file, weights_only=True))``.

    Raises:
        CheckpointUnreadable: a file is missing or damaged.
    """
    out = io.BytesIO()
    torch.save(read_tensors(path, WEIGHTS, read_meta(path)), out)
    return out.getvalue()
