"""Weights, state_dict and program, read back without our code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_demo.export.weight_files import build_program, build_state_dict, build_weights
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import SHIPPED_REF, ModelRef


class Tutorial(nn.Module):
    """The class that tutorials write, with none of our code."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(3136, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def test_the_tutorials_own_class_loads_the_state_dict(tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("untrained", "cnn"), store)
    exported = build_state_dict(loaded, tmp_path, {}, print)
    model = Tutorial().eval()
    model.load_state_dict(torch.load(exported.path, weights_only=True))
    images = torch.randn(3, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(model(images), loaded.model(images))


def test_safetensors_hold_every_tensor_and_what_one_needs(tmp_path: Path, store: Store) -> None:
    loaded = load_model(SHIPPED_REF, store)
    path = build_weights(loaded, tmp_path, {}, print).path
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["cnn_demo"])
        names = file.keys()
        found = {name: file.get_tensor(name) for name in names}
    assert about["dataset"] == "mnist"
    assert found.keys() == loaded.model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in loaded.model.state_dict().items())


@pytest.mark.parametrize("name", MODELS.names)
def test_the_program_of_every_model_gives_its_logits(name: str, tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("untrained", name), store)
    program = torch.export.load(build_program(loaded, tmp_path, {}, print).path).module()
    for count in (1, 3):
        images = torch.randn(count, 1, 28, 28)
        with torch.no_grad():
            torch.testing.assert_close(program(images), loaded.model(images), atol=1e-5, rtol=0)
