"""The registry and the networks in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import cnn_demo.models
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models.cnn import CNN
from cnn_demo.models.registry import MODELS, count_parameters, create_model
from cnn_demo.prediction.load import load_folder
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.description import Setting, Whole
from cnn_demo.training.events import CheckpointDue, Finished
from cnn_demo.training.loop import fit
from cnn_demo.training.snapshot import save_checkpoint
from scripts.make_facts import compute_facts


def test_cnn_has_the_parameters_that_were_promised() -> None:
    model = create_model("cnn", channels=1, size=28, classes=10)
    by_hand = (32 * 1 * 9 + 32) + (64 * 32 * 9 + 64) + (3136 * 512 + 512) + (512 * 10 + 10)
    assert by_hand == 1_630_090
    assert count_parameters(model) == 1_630_090


def test_cnn_computes_what_functional_computes() -> None:
    torch.manual_seed(0)
    model = create_model("cnn", channels=3, size=32, classes=7).eval()
    w = dict(model.named_parameters())
    x = torch.randn(4, 3, 32, 32)
    h = F.max_pool2d(F.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=1).clamp(min=0), 2)
    h = F.max_pool2d(F.conv2d(h, w["conv2.weight"], w["conv2.bias"], padding=1).clamp(min=0), 2)
    h = F.linear(h.reshape(4, 64 * 8 * 8), w["fc1.weight"], w["fc1.bias"]).clamp(min=0)
    torch.testing.assert_close(model(x), F.linear(h, w["fc2.weight"], w["fc2.bias"]))


def test_dropout_is_half_and_only_in_training() -> None:
    model = create_model("cnn")
    x = torch.randn(2, 1, 28, 28)
    assert isinstance(model, CNN)
    assert model.dropout.p == 0.5
    assert not torch.equal(model.train()(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


@pytest.mark.parametrize("name", [spec.name for spec in MODELS])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
def test_every_model_gives_logits_and_gradients(name: str, channels: int, size: int) -> None:
    model = create_model(name, channels=channels, size=size, classes=10).eval()  # what it gives in training may differ
    logits = model(torch.randn(2, channels, size, size))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="'cnn' is registered twice"):
        MODELS.add("cnn", "Another", "torch.nn:Identity")
    assert MODELS.get("cnn").title == "Plain CNN"


def test_unknown_names_and_sizes_are_explained() -> None:
    with pytest.raises(KeyError, match="no model named 'lenet'; there are: cnn"):
        create_model("lenet")
    with pytest.raises(ConfigError, match="depth = 2: must be at most 1 for images of 3 × 3 pixels"):
        create_model("cnn", size=3)
    for name in ("cnn-tiny", "lenet5", "resnet-small"):
        with pytest.raises(ValueError, match="size = 3"):
            create_model(name, size=3)


def test_facts_are_those_of_the_models() -> None:
    path = Path(cnn_demo.models.__file__).with_name("facts.json")
    assert json.loads(path.read_text()) == compute_facts()
    # One multiply-add for each weight at each place where it is used.
    by_hand = 28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 3136 * 512 + 512 * 10
    assert compute_facts()["cnn"]["1x28x10"] == {"parameters": 1_630_090, "multiply_adds": by_hand}


OWN_MODEL = """
from torch import nn


class Linear(nn.Module):
    def __init__(self, channels, size, classes, width=16):
        super().__init__()
        hidden = nn.Linear(channels * size**2, width)
        self.layers = nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(width, classes))

    def forward(self, images):
        return self.layers(images)
"""


def test_a_model_of_ones_own_is_a_file_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_model.py").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    width = Setting("width", 16, Whole(1, 512), "Width")
    MODELS.add("linear", "One hidden layer", "own_model:Linear", options=(width,))
    try:
        config = TrainConfig(model="linear", options={"width": 24}, device="cpu", epochs=1)
        full = load_dataset("mnist-mini")
        data = Dataset(full.spec, full.train.take(torch.arange(256)), full.test.take(torch.arange(20)))
        *_, last, finished = (event for event in fit(config, dataset=data))
        assert isinstance(finished, Finished)
        assert finished.step == 2
        assert isinstance(last, CheckpointDue)
        snapshot = last.capture()
        assert snapshot.weights["layers.1.weight"].shape == (24, 784)
        loaded = load_folder(save_checkpoint(tmp_path / "checkpoints", snapshot))
        assert torch.equal(loaded.model.get_parameter("layers.1.weight"), snapshot.weights["layers.1.weight"])
    finally:
        MODELS.remove("linear")
