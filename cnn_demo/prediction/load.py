"""Models rebuilt from checkpoint folders, and the one that ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.models.registry import create_model
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.snapshot import WEIGHTS, CheckpointUnreadable, read_meta, read_tensors

SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "models" / "cnn-mnist"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model rebuilt from a checkpoint, in eval mode on the CPU, with no gradients wanted.

    Share it as you like, and never change it: for training or hooks make a copy.
    """

    model: nn.Module
    config: TrainConfig
    spec: DatasetSpec
    run_id: str
    step: int
    epoch: float
    meta: dict[str, Any]


def load_folder(path: Path, run_id: str = "") -> LoadedModel:
    """Rebuild the model of a checkpoint folder; needs neither pickle nor the run store.

    Raises:
        CheckpointUnreadable: a file is missing or damaged, or the weights do not fit the model.
    """
    meta = read_meta(path)
    weights = read_tensors(path, WEIGHTS, meta)
    try:
        config = TrainConfig.from_dict(meta["config"])
        spec = get_spec(config.dataset)
        with torch.random.fork_rng(devices=[]):
            model = create_model(config.model, channels=spec.channels, size=spec.size, classes=len(spec.classes))
        model.load_state_dict(weights)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointUnreadable(path, str(error)) from error
    model.eval().requires_grad_(False)
    return LoadedModel(model, config, spec, run_id, meta["step"], meta["epoch"], meta)


def load_shipped() -> LoadedModel:
    """The model that ships: ``cnn`` trained on the full MNIST.

    Raises:
        CheckpointUnreadable: its files are missing or damaged.
    """
    return load_folder(SHIPPED, "shipped")
