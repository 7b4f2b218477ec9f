"""ONNX with its preparation inside: the page's pictures and probabilities from the bytes alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.stages import prepare_stages
from cnn_demo.export import prepared_onnx
from cnn_demo.export.formats import ExportFailed
from cnn_demo.export.prepared_onnx import PadPreparation, build_prepared, compute_probabilities, draw_pads
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import as_loaded

SPEC = get_spec("mnist")


@pytest.fixture
def shipped() -> LoadedModel:
    return load_model(ModelRef("shipped"), Store())


def build(loaded: LoadedModel, folder: Path, takes: str) -> Path:
    return build_prepared(loaded, folder, {"takes": takes}, lambda _part: None).path


def square(top: int, left: int, height: int, width: int, level: int = 255) -> np.ndarray:
    pad = np.zeros((280, 280), np.uint8)
    pad[top : top + height, left : left + width] = level
    return pad


def test_the_graph_makes_the_pictures_of_the_page() -> None:
    special = [
        np.zeros((280, 280), np.uint8),
        square(40, 50, 200, 30),
        square(0, 0, 280, 9),  # touches three edges
        square(200, 230, 40, 45, level=130),  # half as bright, in a corner
        square(100, 100, 20, 11),  # has the size of a digit already
        square(100, 100, 19, 4),
        square(10, 10, 8, 5),  # is enlarged
        square(50, 20, 31, 230),
        square(90, 90, 3, 3, level=10),  # too faint to count
    ]
    pads = np.stack([*draw_pads(60, seed=3), *special])
    wanted = np.stack([prepare_stages(pad, SPEC).stages[-1].image for pad in pads])
    found = PadPreparation()(torch.from_numpy(pads))[:, 0].numpy()
    assert np.abs(found - wanted).max(axis=(1, 2)).tolist() == pytest.approx([0] * len(pads), abs=2e-5)


def test_a_hundred_drawings_have_the_probabilities_of_the_draw_page(shipped: LoadedModel, tmp_path: Path) -> None:
    path = build(shipped, tmp_path, "pad")
    pads = draw_pads(100, seed=11)
    answers = Predictor(shipped, load_calibration(shipped)).predict(list(pads))
    wanted = np.stack([answer.verdict.probabilities for answer in answers])
    found = compute_probabilities(path, pads)
    assert np.abs(found - wanted).max() < 1e-4
    np.testing.assert_allclose(compute_probabilities(path, pads[:1]), found[:1], atol=1e-6)  # any number of drawings
    model = onnx.load(path)
    assert [value.name for value in model.graph.input] == ["pads"]
    assert [value.name for value in model.graph.output] == ["probabilities"]
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["input"] == "pads uint8 (N, 280, 280), white on black"
    assert json.loads(facts["classes"]) == list(shipped.spec.classes)


def test_images_of_the_data_set_are_only_normalized(shipped: LoadedModel, tmp_path: Path) -> None:
    path = build(shipped, tmp_path, "image")
    images = load_dataset("mnist-mini").test.images[:50]
    calibration = load_calibration(shipped)
    assert calibration is not None
    with torch.no_grad():
        logits = shipped.model((images / 255 - 0.1307) / 0.3081)
    wanted = torch.softmax(logits / calibration.temperature, dim=1).numpy()
    assert np.abs(compute_probabilities(path, images.numpy()) - wanted).max() < 1e-4


@pytest.mark.parametrize("name", MODELS.names)
def test_every_architecture_takes_a_pad(name: str, store: Store, tmp_path: Path) -> None:
    loaded = load_model(ModelRef("untrained", name), store)
    found = compute_probabilities(build(loaded, tmp_path, "pad"), draw_pads(3, seed=1))
    assert found.sum(1) == pytest.approx(1, abs=1e-5)


def test_a_network_for_clothes_has_no_pad(tmp_path: Path) -> None:
    clothes = as_loaded(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).eval(), "fashion-mnist")
    with pytest.raises(ExportFailed, match="Only a network for digits"):
        build(clothes, tmp_path, "pad")


def test_a_file_that_answers_otherwise_is_not_kept(
    shipped: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared_onnx, "CENTER", 13.0)  # the digit one pixel off
    with pytest.raises(ExportFailed, match="differs from the page by up to"):
        build(shipped, tmp_path, "pad")
    assert not [p for p in tmp_path.iterdir() if p.name.endswith((".onnx", ".part"))]
