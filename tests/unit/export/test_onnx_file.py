"""Every registered architecture as an ONNX file; onnxruntime's logits against PyTorch's on random images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from cnn_demo.export.onnx_file import ExportFailed, build_proto, export_onnx
from cnn_demo.export.runtime import Session, open_session
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import ODD_NETWORKS, as_loaded, make_odd_network


@pytest.mark.parametrize("name", [entry.name for entry in MODELS])
def test_every_architecture_agrees_for_any_batch(name: str, tmp_path: Path) -> None:
    loaded = load_model(ModelRef.parse(f"untrained:{name}"), Store())
    path = tmp_path / "network.onnx"
    export_onnx(loaded, path)
    session = open_session(path, threads=1)
    generator = torch.Generator().manual_seed(1)
    for count in (1, 2, 7):
        images = torch.randn(count, loaded.spec.channels, loaded.spec.size, loaded.spec.size, generator=generator)
        with torch.no_grad():
            expected = loaded.model(images).numpy()
        np.testing.assert_allclose(session.compute_logits(images.numpy()), expected, atol=1e-4)


def test_the_file_is_one_and_says_what_it_is(tmp_path: Path) -> None:
    loaded = load_model(ModelRef.parse("untrained:cnn-tiny"), Store())
    export_onnx(loaded, tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["network.onnx"]
    model = onnx.load(tmp_path / "network.onnx")
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(found["classes"]) == list(loaded.spec.classes)
    assert json.loads(found["mean"]) == list(loaded.spec.mean)
    assert found["network"] == "untrained:cnn-tiny"
    assert json.loads(found["versions"])["torch"] == torch.__version__
    assert [value.name for value in model.graph.input] == ["images"]
    assert [value.name for value in model.graph.output] == ["logits"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param  # any number of images


class Undecided(nn.Module):
    """Goes another way for other values, which no graph can hold."""

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)[:, :10]
        return flat if bool(images.sum() > 0) else -flat


def test_a_network_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="cannot be written as ONNX"):
        export_onnx(as_loaded(Undecided().eval()), tmp_path / "network.onnx")


@pytest.mark.parametrize("kind", list(ODD_NETWORKS))
def test_options_off_their_defaults(kind: str) -> None:
    model = make_odd_network(kind)
    images = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = Session(build_proto(model, (1, 28, 28)).SerializeToString(), threads=1).compute_logits(images.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found, model(images).numpy(), atol=2e-5)


def test_the_shipped_network_brings_its_test_result_and_its_calibration(tmp_path: Path) -> None:
    export_onnx(load_model(ModelRef("shipped"), Store()), tmp_path / "a.onnx")
    found = {entry.key: entry.value for entry in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert json.loads(found["test"])["n"] == 10_000
    assert float(found["temperature"]) > 0


class Decomposed(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.linalg.svd(images.flatten(1))[1]


def test_an_operator_that_onnx_does_not_know_is_named() -> None:
    with pytest.raises(ExportFailed, match=r"because of aten\.\w*svd"):
        build_proto(Decomposed().eval(), (1, 28, 28))


def test_a_failed_export_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"before")

    def run_full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", run_full)
    with pytest.raises(OSError, match="No space left"):
        export_onnx(load_model(ModelRef("untrained", "cnn-tiny"), Store()), path)
    monkeypatch.undo()
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir() if p.suffix] == ["a.onnx"]
