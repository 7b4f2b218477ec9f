"""Networks for tests that need weights but no training: a checkpoint of a seeded fresh network in a run store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.runs.records import Run
    from cnn_demo.runs.store import Store


def put_checkpoint(
    store: Store, run: Run, *, step: int = 60, epoch: float = 3.0, seed: int = 0, sharp: float = 1
) -> Any:
    """Give a run a checkpoint as a worker would have, and return its model.

    Args:
        store: where the run is.
        run: the run.
        step: of the checkpoint; an epoch with this step gives it its accuracy.
        epoch: of the checkpoint.
        seed: decides the weights.
        sharp: the last layer is multiplied by it: a large value makes the network sure of itself.
    """
    import torch

    from cnn_demo.datasets.specs import get_spec
    from cnn_demo.models.registry import create_configured_model
    from cnn_demo.runs.recorder import Recorder
    from cnn_demo.training.events import Snapshot
    from cnn_demo.training.snapshot import checkpoint_name, save_checkpoint

    spec = get_spec(run.config.dataset)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = create_configured_model(run.config, spec)
    with torch.no_grad():
        if sharp != 1:
            model.get_parameter("fc2.weight").mul_(sharp)
    meta = {"config": run.config.to_dict(), "step": step}
    snapshot = Snapshot(step, epoch, dict(model.state_dict()), {}, meta)
    save_checkpoint(store.folder(run.id) / "checkpoints", snapshot)
    Recorder(store, run).checkpoint(step, epoch, f"checkpoints/{checkpoint_name(step)}")
    return model.eval().requires_grad_(False)


def as_loaded(model: Any, dataset: str = "mnist-mini") -> LoadedModel:
    """A model as if it had been loaded."""
    from cnn_demo.datasets.specs import get_spec
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.settings.reference import ModelRef

    return LoadedModel(ModelRef("untrained", "made"), model, get_spec(dataset), Path())


def mark_best(store: Store, run: Run, epoch: int) -> None:
    """Record that an epoch had the least validation loss."""
    row = next(row for row in store.epochs(run.id) if row.epoch == epoch)
    metrics = {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in ("epoch", "step", "best")}
    store.add_epoch(run.id, epoch, row.step, metrics, best=True)


def set_state(store: Store, run: Run, state: str) -> None:
    """Put a run into another state, as its worker would."""
    store.change_run(run.id, state=state)
