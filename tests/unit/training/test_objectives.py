"""A family whose output is not one tensor of logits is trained and evaluated by an objective of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.classification import Classification
from cnn_demo.training.evaluate import evaluate
from cnn_demo.training.events import CheckpointDue, EpochEnd, Progress
from cnn_demo.training.loop import fit
from cnn_demo.training.objectives import OBJECTIVES, create_objective


class TwoTowers(nn.Module):
    """Embeds images, and one caption for each class, after the manner of CLIP."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        self.image_tower = nn.Linear(channels * size * size, 16)
        self.captions = nn.Embedding(classes, 16)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {
            "images": F.normalize(self.image_tower(images.flatten(1)), dim=1),  # (N, 16)
            "captions": F.normalize(self.captions.weight, dim=1),  # (classes, 16)
            "scale": self.log_scale.exp(),
        }


class Contrastive:
    """Each image against the captions of its batch, and each caption of the batch against the images."""

    def __init__(self, spec: object, device: torch.device | str) -> None:
        self.one_hot = torch.eye(10, device=device)

    def make_targets(self, labels: Tensor) -> Tensor:
        return self.one_hot[labels]

    def __call__(self, outputs: dict[str, Tensor], targets: Tensor) -> tuple[Tensor, Tensor]:
        similarity = outputs["scale"] * outputs["images"] @ outputs["captions"].T  # (N, classes)
        there = targets.sum(0) > 0
        to_images = targets / targets.sum(0).clamp_min(1)
        loss = F.cross_entropy(similarity, targets) + F.cross_entropy(similarity.T[there], to_images.T[there])
        return loss / 2, (similarity.argmax(1) == targets.argmax(1)).sum()


@pytest.fixture
def towers() -> Iterator[None]:
    OBJECTIVES.add("toy", "Contrastive", Contrastive)
    MODELS.add("towers", "Two towers", TwoTowers, objective="toy")
    yield
    MODELS.remove("towers")
    OBJECTIVES.remove("toy")


@pytest.mark.usefixtures("towers")
def test_a_contrastive_family_is_trained_and_evaluated() -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(256)), full.test.take(torch.arange(50)))
    config = TrainConfig(model="towers", device="cpu", epochs=3, lr=0.01)
    losses, ends, weights = [], [], {}
    for event in fit(config, dataset=data):
        if isinstance(event, Progress):
            losses += [step.loss for step in event.steps]
        elif isinstance(event, EpochEnd):
            ends.append(event)
        elif isinstance(event, CheckpointDue):
            weights = event.capture().weights
    assert len(losses) == 6
    assert losses[-1] < losses[0]

    model = TwoTowers(1, 28, 10)
    model.load_state_dict(weights)
    objective = create_objective("towers", data.spec, "cpu")
    split = DeviceDataset(data.test, data.spec, "cpu")
    result = evaluate(model, split, objective)
    assert (result.accuracy, result.n) == (ends[-1].test.accuracy, 50)
    outputs = model(split.batch(torch.arange(50))[0])
    similarity = outputs["scale"] * outputs["images"] @ outputs["captions"].T
    assert result.accuracy == pytest.approx(float((similarity.argmax(1) == data.test.labels).float().mean()))
    labels = F.one_hot(data.test.labels, 10).float()
    there = labels.sum(0) > 0
    share = labels / labels.sum(0).clamp_min(1)
    by_hand = F.cross_entropy(similarity, data.test.labels) + F.cross_entropy(similarity.T[there], share.T[there])
    assert result.loss == pytest.approx(by_hand.item() / 2, rel=1e-5)


def test_a_model_that_names_none_is_a_classifier() -> None:
    assert isinstance(create_objective("cnn", load_dataset("mnist-mini").spec, "cpu"), Classification)
