"""Which checkpoints a run has, and the models in them."""

from __future__ import annotations

from cnn_demo.prediction.load import LoadedModel, load_folder
from cnn_demo.runs.records import Checkpoint
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from cnn_demo.training.snapshot import CheckpointUnreadable


def find_checkpoint(store: Store, run_id: str, step: int | None = None) -> Checkpoint:
    """The checkpoint of a step, or the latest.

    Raises:
        RunNotFound: no such run.
        CheckpointUnreadable: the run has no such checkpoint.
    """
    store.get(run_id)
    found = store.checkpoints(run_id)
    if step is not None:
        found = [c for c in found if c.step == step]
    if not found:
        wanted = "a checkpoint yet" if step is None else f"a checkpoint at step {step}"
        raise CheckpointUnreadable(store.folder(run_id), f"run {run_id} does not have {wanted}")
    return found[-1]


def load_model(store: Store, run_id: str, step: int | None = None) -> LoadedModel:
    """The model of a run, from one of its checkpoints or the latest.

    Raises:
        RunNotFound: no such run.
        CheckpointUnreadable: no such checkpoint, or its files are damaged.
    """
    checkpoint = find_checkpoint(store, run_id, step)
    return load_folder(checkpoint.path, ModelRef("run", run_id, checkpoint.step), store.folder(run_id))
