"""What quantization does to one weight and one activation: scale, zero point, rounding, and what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LOW, HIGH = -128, 127


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor that a quantized ONNX file holds or computes as whole numbers.

    Attributes:
        name: of the tensor.
        kind: whether it is stored in the file or computed for each image.
        scale: ``(C,)`` for a weight with a scale for each channel, else ``(1,)``; above 0.
        zero_point: as many whole numbers.
        axis: of the channels.
        stored: the whole numbers of a weight; None for an activation.
    """

    name: str
    kind: Literal["weight", "activation"]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    axis: int
    stored: NDArray[np.int8] | None


@dataclass(frozen=True, slots=True)
class Rounding:
    """One number on its way through 8 bits.

    ``quotient = value / scale``, ``quantized = clip(round(quotient) + zero_point)``,
    ``back = (quantized - zero_point) * scale``.

    Attributes:
        clipped: whether the number lay outside what 8 bits reach.
    """

    value: float
    scale: float
    zero_point: int
    quotient: float
    quantized: int
    back: float
    clipped: bool

    @property
    def error(self) -> float:
        """What was lost: back minus value."""
        return self.back - self.value


def list_quantized_tensors(path: Path) -> list[QuantizedTensor]:
    """All quantized tensors of a file in QDQ format, in the order of execution; biases are left out.

    Raises:
        OSError: the file cannot be read.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found: list[QuantizedTensor] = []
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or node.input[1] not in constants:
            continue
        stored = constants.get(node.input[0])
        is_weight = node.op_type == "DequantizeLinear" and stored is not None and stored.dtype == np.int8
        if not is_weight and node.op_type == "DequantizeLinear":
            continue
        scale = np.atleast_1d(constants[node.input[1]]).astype(np.float32)
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        points = np.zeros(len(scale), np.int32) if zero is None else np.atleast_1d(zero).astype(np.int32)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        kind: Literal["weight", "activation"] = "weight" if is_weight else "activation"
        whole = stored if is_weight else None
        found.append(QuantizedTensor(node.input[0].removesuffix("_quantized"), kind, scale, points, axis, whole))
    return found


def round_value(tensor: QuantizedTensor, value: float, channel: int = 0) -> Rounding:
    """What becomes of a number in the place of a tensor's value.

    Args:
        tensor: gives scale and zero point.
        value: the number in fp32.
        channel: where the tensor has a scale for each channel.
    """
    at = channel if len(tensor.scale) > 1 else 0
    scale, zero = np.float32(tensor.scale[at]), int(tensor.zero_point[at])
    quotient = np.float32(value) / scale
    whole = int(np.rint(quotient)) + zero  # half to even, as onnxruntime and PyTorch do
    quantized = min(max(whole, LOW), HIGH)
    back = np.float32(quantized - zero) * scale
    return Rounding(
        float(np.float32(value)), float(scale), zero, float(quotient), quantized, float(back), whole != quantized
    )
