"""8-bit networks: every architecture, calibrated on training images only, and what it says of its layers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnn_demo.datasets import load as loading
from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.export import int8
from cnn_demo.export.formats import Exported, ExportFailed
from cnn_demo.export.int8 import build_int8, choose_calibration_images, choose_training_images
from cnn_demo.export.quantized_values import list_quantized_tensors
from cnn_demo.export.runtime import open_session
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import ODD_NETWORKS, as_loaded, make_odd_network


def quantize(loaded: LoadedModel, folder: Path, **options: Any) -> Exported:
    return build_int8(
        loaded,
        folder,
        {"scheme": "static", "method": "minmax", "images": 32, "keep": "", "compare": False, **options},
        lambda _share: None,
    )


def compare_logits(loaded: LoadedModel, path: Path) -> float:
    """Error of the logits as a share of their spread over images."""
    images = choose_calibration_images(loaded, 64)
    with torch.no_grad():
        expected = loaded.model(images)
    found = torch.from_numpy(open_session(path, threads=1).compute_logits(images.numpy()))
    return float((found - expected).std() / expected.std())


@pytest.mark.parametrize("name", MODELS.names)
def test_every_model_can_be_quantized(name: str, tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("untrained", name), store)
    assert compare_logits(loaded, quantize(loaded, tmp_path).path) < 0.2
    assert [p.suffix for p in tmp_path.iterdir() if p.name != "runs-home"] == [".onnx"]  # nothing else is left


@pytest.mark.parametrize("kind", list(ODD_NETWORKS))
def test_so_can_options_off_their_defaults(kind: str, tmp_path: Path) -> None:
    loaded = dataclasses.replace(as_loaded(make_odd_network(kind)), trained_as=None)
    assert compare_logits(loaded, quantize(loaded, tmp_path).path) < 0.2


@pytest.mark.parametrize("options", [{"method": "entropy"}, {"method": "percentile"}, {"scheme": "dynamic"}])
def test_other_ways(options: dict[str, str], tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("untrained", "cnn-tiny"), store)
    made = quantize(loaded, tmp_path, **options)
    assert compare_logits(loaded, made.path) < 0.3
    assert (made.facts["calibrated_on"] is None) == ("scheme" in options)


def test_the_shipped_network_keeps_its_answers_and_weighs_a_quarter(tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("shipped"), store)
    loaded = dataclasses.replace(loaded, spec=load_dataset("mnist-mini").spec)
    made = quantize(loaded, tmp_path, images=256)
    test = load_dataset("mnist-mini").test.take(torch.arange(500))
    images = loaded.normalize(test.images[:, 0].numpy()).transpose(0, 1)  # (1, 500, 28, 28) -> (500, 1, 28, 28)
    with torch.no_grad():
        expected = loaded.model(images).argmax(1)
    found = open_session(made.path, threads=1).compute_logits(images.contiguous().numpy()).argmax(1)
    assert (found == expected.numpy()).mean() >= 0.996
    assert made.path.stat().st_size <= 0.27 * made.facts["fp32_bytes"]
    assert all(layer["decibels"] > 15 for layer in made.facts["layers"])
    assert {"conv1", "conv2", "fc1", "fc2"} <= {layer["layer"] for layer in made.facts["layers"]}


def test_weights_are_whole_numbers_with_a_scale_for_each_channel(tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("untrained", "cnn-strided"), store)
    found = {t.name: t for t in list_quantized_tensors(quantize(loaded, tmp_path).path)}
    weight = found["conv1.weight"]
    assert weight.kind == "weight"
    assert weight.stored is not None
    assert weight.scale.shape == (32,)
    expected = loaded.model.get_parameter("conv1.weight").numpy()
    largest = np.abs(expected).max((1, 2, 3))
    np.testing.assert_allclose(weight.scale, largest / 127, rtol=1e-5)  # symmetric, by hand
    np.testing.assert_array_equal(weight.stored, np.rint(expected / weight.scale[:, None, None, None]))
    assert found["images"].kind == "activation"


def test_a_layer_can_be_kept(tmp_path: Path, store: Store) -> None:
    loaded = load_model(ModelRef("untrained", "cnn-strided"), store)
    names = {t.name for t in list_quantized_tensors(quantize(loaded, tmp_path, keep="conv1, fc2").path)}
    assert {"conv2.weight", "fc1.weight"} <= names
    assert not {"conv1.weight", "fc2.weight"} & names
    with pytest.raises(ExportFailed, match=r"conv9; there are: conv1"):
        quantize(loaded, tmp_path, keep="conv9")


def test_only_training_images_are_looked_at(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load_dataset("mnist-mini")
    seen: list[torch.Tensor] = []
    read = int8.ImageReader.__init__

    def note(self: int8.ImageReader, images: torch.Tensor) -> None:
        seen.append(images)
        read(self, images)

    marked = loading.Dataset(real.spec, real.train, Split(torch.full_like(real.test.images, 255), real.test.labels))
    monkeypatch.setattr(int8, "load_dataset", lambda *args, **more: marked)
    monkeypatch.setattr(int8.ImageReader, "__init__", note)
    quantize(load_model(ModelRef("untrained", "cnn-tiny"), store), tmp_path)
    assert seen
    assert all((images.amin((1, 2, 3)) < 0).all() for images in seen)  # a white image has no black pixel


def test_a_worse_layer_is_seen(tmp_path: Path) -> None:
    """One weight that is far larger than the others takes all of the range of its channel."""
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("good", nn.Conv2d(1, 4, 3))
    model.add_module("bad", nn.Conv2d(4, 4, 3))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(4 * 24 * 24, 10))
    with torch.no_grad():
        model.get_parameter("bad.weight")[:, 0, 0, 0] = 100 * torch.tensor([1.0, -1, 1, -1])
        model.get_parameter("good.weight")[0] = 0
        model.get_parameter("good.bias")[0] = 0
    loaded = as_loaded(model.eval().requires_grad_(False))
    found = {e["layer"]: e["decibels"] for e in quantize(loaded, tmp_path).facts["layers"]}
    assert found["bad"] < found["good"] - 10


def test_calibrations_are_compared_on_training_images_that_none_of_them_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_model(ModelRef("shipped"), Store())
    monkeypatch.setattr(int8, "COUNTS", (32, 64))
    seen: list[torch.Tensor] = []
    quantize_statically = int8.quantize_statically

    def remember(source: Path, target: Path, images: torch.Tensor, *args: Any, **more: Any) -> None:
        seen.append(images)
        quantize_statically(source, target, images, *args, **more)

    monkeypatch.setattr(int8, "quantize_statically", remember)
    facts = quantize(loaded, tmp_path, compare=True).facts
    full, *others = facts["calibrations"]
    assert [(row["method"], row["images"]) for row in others] == [
        (method, count) for method in ("minmax", "entropy", "percentile") for count in (32, 64)
    ]
    used = choose_calibration_images(loaded, 64)
    assert all(torch.equal(images, used[: len(images)]) for images in seen[1:])
    assert full["n"] == 2048
    every = choose_training_images(loaded, 64 + full["n"])
    judged = normalize(every.images[64:], loaded.spec)
    with torch.no_grad():
        logits = loaded.model(judged)
    assert full["correct"] == int((logits.argmax(1) == every.labels[64:]).sum())
    kept = quantize(loaded, tmp_path, images=64)
    again = torch.from_numpy(open_session(kept.path, threads=1).compute_logits(judged.numpy()))
    row = next(row for row in others if (row["method"], row["images"]) == ("minmax", 64))
    assert row["difference"] == pytest.approx(float((again - logits).abs().mean()), rel=1e-3)
    assert row["correct"] == int((again.argmax(1) == every.labels[64:]).sum())
