"""TensorRT: the typed ONNX files against PyTorch everywhere; the engine itself where a GPU and TensorRT are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from cnn_demo.datasets.load import load_dataset
from cnn_demo.export.formats import FORMATS, ExportFailed
from cnn_demo.export.int8 import choose_calibration_images
from cnn_demo.export.receipt import make_receipt
from cnn_demo.export.runtime import open_session
from cnn_demo.export.tensorrt_engine import build_tensorrt, write_trtexec, write_typed_onnx
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef

HERE = find_spec("tensorrt") is not None and torch.cuda.is_available()
PRECISIONS = ("fp32", "fp16", "int8")


@pytest.fixture
def shipped() -> LoadedModel:
    return load_model(ModelRef("shipped"), Store())


@pytest.mark.parametrize(("precision", "apart"), [("fp32", 1e-4), ("fp16", 0.05), ("int8", 1.0)])
def test_the_file_computes_with_its_type_and_still_agrees(
    precision: str, apart: float, shipped: LoadedModel, tmp_path: Path
) -> None:
    path = tmp_path / "network.onnx"
    write_typed_onnx(shipped, path, precision)
    assert [p.name for p in tmp_path.iterdir() if p.suffix] == ["network.onnx"]
    model = onnx.load(path)
    kinds = {tensor.name: numpy_helper.to_array(tensor).dtype.name for tensor in model.graph.initializer}
    weight = next(kind for name, kind in kinds.items() if name.startswith("conv1.weight"))
    assert weight == {"fp32": "float32", "fp16": "float16", "int8": "int8"}[precision]
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    images = choose_calibration_images(shipped, 64)
    with torch.no_grad():
        wanted = shipped.model(images).numpy()
    logits = open_session(path, threads=1).compute_logits(images.numpy())
    assert np.abs(logits - wanted).max() < apart
    assert (logits.argmax(1) == wanted.argmax(1)).mean() > 0.98


def test_int8_has_what_tensorrt_reads(shipped: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    write_typed_onnx(shipped, path, "int8")
    graph = onnx.load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    read = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(read) > 8
    for node in read:
        if len(node.input) > 2:
            assert not values[node.input[2]].any(), node.name  # only symmetric ranges
        assert values.get(node.input[0], np.int8(0)).dtype != np.int32, node.name  # no quantized bias


@pytest.mark.parametrize("name", MODELS.names)
def test_every_architecture_has_a_half_precision_file(name: str, store: Store, tmp_path: Path) -> None:
    loaded = load_model(ModelRef("untrained", name), store)
    path = tmp_path / "network.onnx"
    write_typed_onnx(loaded, path, "fp16")
    images = torch.randn(4, loaded.spec.channels, loaded.spec.size, loaded.spec.size)
    with torch.no_grad():
        wanted = loaded.model(images).numpy()
    found = open_session(path, threads=1).compute_logits(images.numpy())
    assert np.abs(found - wanted).max() < 0.02 * max(1.0, float(np.abs(wanted).max()))


def test_the_line_for_trtexec() -> None:
    assert write_trtexec("cnn.onnx", (1, 28, 28)) == (
        "trtexec --onnx=cnn.onnx --minShapes=images:1x1x28x28 --optShapes=images:64x1x28x28 "
        "--maxShapes=images:256x1x28x28 --saveEngine=cnn.engine"
    )


@pytest.mark.skipif(HERE, reason="a GPU and TensorRT are here")
def test_without_a_gpu_or_tensorrt_it_says_what_is_missing(shipped: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=r"TensorRT is not installed|NVIDIA GPU"):
        build_tensorrt(shipped, tmp_path, {"engine_precision": "fp16"}, lambda _part: None)
    assert not [p for p in tmp_path.iterdir() if p.suffix or p.name.startswith(".")]


@pytest.mark.skipif(not HERE, reason="needs an NVIDIA GPU and the package tensorrt")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_engine_agrees_with_pytorch(precision: str, shipped: LoadedModel, tmp_path: Path) -> None:
    made = FORMATS.get("tensorrt").load()(shipped, tmp_path, {"engine_precision": precision}, lambda _part: None)
    receipt = make_receipt(shipped, {"tensorrt": made.path}, load_dataset("mnist-mini").test, calls=(3, 3))
    assert receipt.rows[1].holds
    assert receipt.rows[1].agreement > 0.995
