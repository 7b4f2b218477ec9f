"""Networks for tests that need weights but no training: a checkpoint of a seeded fresh network in a run store."""

from __future__ import annotations

import json
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


def read_shipped() -> dict[str, Any]:
    """What the checkpoint that ships says of itself."""
    from cnn_demo.prediction.shipped import SHIPPED

    stated: dict[str, Any] = json.loads((SHIPPED / "checkpoint.json").read_text("utf-8"))
    return stated


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


# Networks with options off their defaults: what an export must be able to carry.
ODD_NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "builder": (
        "builder",
        {
            "layers": "v1; conv channels=8 kernel=5 stride=2 padding=2; group-norm; silu; "
            "conv channels=8 dilation=2 padding=2 groups=4; batch-norm; gelu; "
            "residual channels=16 stride=2; se; avg-pool; dropout; flatten; linear; relu"
        },
    ),
    "no skip": ("resnet-small", {"skip": False, "activation": "leaky_relu"}),
    "group norm": ("se-resnet-small", {"normalization": "group", "activation": "gelu"}),
    "deep": ("cnn", {"depth": 3, "width": 16, "normalization": "batch", "activation": "silu"}),
}


def make_odd_network(kind: str) -> Any:
    """One of :data:`ODD_NETWORKS` in eval mode, with running statistics as after a training."""
    import torch

    from cnn_demo.models.registry import create_model

    name, options = ODD_NETWORKS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model(name, **options)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    return model.eval().requires_grad_(False)
