"""One number through 8 bits: against onnxruntime's own operators, and against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from cnn_demo.export.quantized_values import QuantizedTensor, list_quantized_tensors, round_value


def tensor(scale: list[float], zero: list[int]) -> QuantizedTensor:
    return QuantizedTensor("x", "activation", np.array(scale, np.float32), np.array(zero, np.int32), 0, None)


@pytest.mark.parametrize(
    ("value", "quantized", "back", "clipped"),
    [
        (0.3, 13, 0.3, False),
        (0.26, 13, 0.3, False),
        (0.25, 12, 0.2, False),
        (-0.35, 6, -0.4, False),
        (50.0, 127, 11.7, True),
    ],
)
def test_by_hand(value: float, quantized: int, back: float, clipped: bool) -> None:
    found = round_value(tensor([0.1], [10]), value)  # 0.25 / 0.1 rounds to the even 2, -3.5 to the even -4
    assert (found.quantized, found.clipped) == (quantized, clipped)
    assert found.back == pytest.approx(back, abs=1e-6)
    assert found.error == pytest.approx(back - value, abs=1e-6)


def test_every_channel_has_its_scale() -> None:
    both = tensor([0.1, 0.5], [0, 0])
    assert [round_value(both, 1.0, channel).quantized for channel in (0, 1)] == [10, 2]


def test_as_onnxruntime_rounds() -> None:
    values = np.random.default_rng(0).uniform(-2, 2, 500).astype(np.float32)
    scale, zero = np.float32(0.0123), np.int8(-17)
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [500])],
        [
            helper.make_tensor_value_info("q", TensorProto.INT8, [500]),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [500]),
        ],
        [numpy_helper.from_array(np.array(scale), "s"), numpy_helper.from_array(np.array(zero), "z")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    quantized, back = session.run(None, {"x": values})
    found = [round_value(tensor([float(scale)], [int(zero)]), float(v)) for v in values]
    assert [f.quantized for f in found] == quantized.tolist()
    np.testing.assert_array_equal(np.array([f.back for f in found], np.float32), back)
    assert any(f.clipped for f in found)


def test_a_file_that_is_not_quantized_has_none(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(helper.make_model(graph), tmp_path / "a.onnx")
    assert list_quantized_tensors(tmp_path / "a.onnx") == []
