"""What a run failed of: a word for programs, and data for a way out."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from cnn_demo.runs import recovery
from cnn_demo.settings.config import ConfigError

if TYPE_CHECKING:
    from cnn_demo.runs.records import Run
    from cnn_demo.runs.store import Store


def name_failure(store: Store, run: Run, error: Exception) -> tuple[str, dict[str, Any]]:
    """The kind of a failure, as a word for programs, and data for a way out."""
    from cnn_demo.datasets.download import DatasetUnavailable
    from cnn_demo.training.errors import OutOfMemory, ResumeError, TrainingDiverged
    from cnn_demo.training.snapshot import CheckpointUnreadable

    match error:
        case DatasetUnavailable():
            hint = {"tried": [str(a) for a in error.tried], "folder": str(error.folder), "files": list(error.files)}
            return "disk_full" if error.reason == "disk_full" else "dataset_unavailable", hint
        case OutOfMemory():
            return "out_of_memory", {"batch_size": error.fits} if error.fits else {}
        case TrainingDiverged():
            return "diverged", {"lr": run.config.lr / 10}
        case ConfigError():
            return "config", error.to_dict()
        case recovery.OnlyWeightsLeft():
            left = error.checkpoint
            return "checkpoint_unreadable", {recovery.FRESH_STATE: left.step, "epoch": left.epoch}
        case CheckpointUnreadable():
            return "checkpoint_unreadable", {}
        case ResumeError():
            return "checkpoint_misfit", {}
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "disk_full", {}
        case OSError() if not store.folder(run.id).is_dir():
            return "folder_missing", {}
    return "error", {}
