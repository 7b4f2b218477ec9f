"""The table of augmentations; one that mixes images and targets, and remembers something, goes through a training."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.augmentations import AUGMENTATIONS, create_augmentation
from cnn_demo.training.events import CheckpointDue, Snapshot
from cnn_demo.training.handwriting import Handwriting
from cnn_demo.training.loop import fit


def test_names_become_objects() -> None:
    assert create_augmentation(TrainConfig(), get_spec("mnist-mini")) is None
    made = create_augmentation(TrainConfig(augment="handwriting", seed=4, val_fraction=0.1), get_spec("mnist-mini"))
    assert isinstance(made, Handwriting)
    assert (made.seed, made.validated) == (4, True)


class MixUp:
    """Zhang et al., "mixup", 2018; the mixture grows with the batches it has seen."""

    def __init__(self, spec: object, seed: int, validated: bool) -> None:
        self.seen = torch.zeros((), dtype=torch.int64)

    def extra_samples(self, train: object, progress: object) -> None:
        return None

    def __call__(self, images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        self.seen += 1
        share = 1 / (2 + int(self.seen))
        order = torch.randperm(len(images), generator=generator)
        assert images.min() >= 0
        assert images.max() <= 1
        return torch.lerp(images, images[order], share), torch.lerp(targets, targets[order], share)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen = state["seen"].clone()


@pytest.fixture
def mixup() -> Iterator[None]:
    AUGMENTATIONS.add("mixup", "MixUp", MixUp)
    yield
    AUGMENTATIONS.remove("mixup")


@pytest.mark.usefixtures("mixup")
def test_mixed_targets_train_and_its_memory_is_in_the_snapshot() -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(100)), full.test.take(torch.arange(20)))
    config = TrainConfig(augment="mixup", batch_size=25, epochs=2, device="cpu")

    def train(resume: Snapshot | None = None) -> dict[int, Snapshot]:
        events = fit(config, dataset=data, resume=resume, checkpoint_steps=(3,))
        return {e.step: copy.deepcopy(e.capture()) for e in events if isinstance(e, CheckpointDue)}

    whole = train()
    assert int(whole[3].state["augmentation"]["seen"]) == 3
    again = train(whole[3])
    assert int(again[8].state["augmentation"]["seen"]) == 8
    for name, value in whole[8].weights.items():
        assert torch.equal(value, again[8].weights[name]), name
