"""Post-training quantization: a network whose weights and activations are whole numbers of 8 bits.

onnxruntime's quantizer does it: each tensor ``x`` becomes ``q = clip(round(x / scale) + zero_point, -128, 127)`` and is
read back as ``(q - zero_point) * scale``. Weights have a scale for each output channel; the ranges of the activations
come from training images. Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", 2018.
"""

from __future__ import annotations

import ast
import contextlib
import io
import logging
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.qdq_loss_debug import (
    collect_activations,
    compute_activation_error,
    create_activation_matching,
    modify_model_output_intermediate_tensors,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.export.asking import compute_all_logits
from cnn_demo.export.formats import Exported, ExportFailed
from cnn_demo.export.onnx_file import INPUT, export_onnx
from cnn_demo.export.runtime import open_session
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
# What is computed with whole numbers; everything else (softmax, norms over tokens, GELU) stays in full precision.
QUANTIZED = ("Conv", "Gemm", "MatMul")
_CARRIED = ("Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Add")
_BATCH, _SEED = 32, 8
COUNTS = (32, 128, 512, 2048)  # of images, where methods are compared
_JUDGED = 2048
_LAYER_IMAGES = 32  # on which the error of each layer is measured


@dataclass(frozen=True, slots=True)
class LayerError:
    """What quantization does to the output of one layer, its ReLU included.

    Attributes:
        layer: the path of the module, such as ``conv1``.
        operator: of ONNX.
        decibels: signal to noise: 10 log10 of the mean square of the value over that of the error. 20 is an error of
            a tenth, 40 of a hundredth. All that lies before the layer is quantized too.
    """

    layer: str
    operator: str
    decibels: float


class ImageReader(CalibrationDataReader):
    """Gives onnxruntime's quantizer batches of normalized images ``(N, C, H, W)``."""

    def __init__(self, images: torch.Tensor) -> None:
        self._parts = iter(images.split(_BATCH))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch, or None."""
        part = next(self._parts, None)
        return None if part is None else {INPUT: part.numpy()}


def choose_calibration_images(loaded: LoadedModel, count: int) -> torch.Tensor:
    """Normalized training images ``(count, C, H, W)``, the same each time. The test images are never among them.

    For a network of another set of digits that is not on this machine, those of mnist-mini, which ships.

    Raises:
        DatasetUnavailable: the data set is not on this machine.
    """
    return normalize(choose_training_images(loaded, count).images, loaded.spec).contiguous()


def choose_training_images(loaded: LoadedModel, count: int) -> Split:
    """The first ``count`` of the training images in an order that is always the same.

    Raises:
        DatasetUnavailable: the data set is not on this machine.
    """
    try:
        train = load_dataset(loaded.spec.name, download=False).train
    except DatasetUnavailable:
        if not loaded.spec.digits:
            raise
        train = load_dataset("mnist-mini", download=False).train
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(_SEED))[:count]
    return train.take(order)


def build_int8(
    loaded: LoadedModel, folder: Path, options: dict[str, Any], progress: Callable[[float], None]
) -> Exported:
    """Write a network as ONNX with whole numbers of 8 bits (QDQ).

    Args:
        loaded: a network of a data set.
        folder: where the file goes.
        options: ``scheme`` (static or dynamic), ``method``, ``images``, ``keep`` and ``compare``, as the table of
            formats has them.
        progress: is told the part that is done.

    Raises:
        ExportFailed: ``keep`` names a layer that is not there, or the network cannot be written as ONNX.
        DatasetUnavailable: the training images for the calibration are not on this machine.
        OSError: the file cannot be written.
    """
    if loaded.photo is not None:
        raise ExportFailed(N_("This network takes photographs, and there are no training images of it here."))
    path = folder / f"{loaded.file_name}.int8.onnx"
    with tempfile.TemporaryDirectory(prefix=".int8-", dir=folder) as work:
        float_path, ready, unfinished = (Path(work) / name for name in ("fp32.onnx", "ready.onnx", "int8.onnx"))
        export_onnx(loaded, float_path)
        progress(0.3)
        prepare_file(float_path, ready)
        layers = list_layers(ready)
        keep = [name.strip() for name in options["keep"].split(",") if name.strip()]
        excluded = [node for node, layer, _operator in layers if layer in keep]
        if unknown := [name for name in keep if name not in {layer for _node, layer, _operator in layers}]:
            known = ", ".join(dict.fromkeys(layer for _node, layer, operator in layers if operator in QUANTIZED))
            raise ExportFailed(
                N_("No layer is called {names}; there are: {known}"), names=", ".join(unknown), known=known
            )
        compared: list[CalibrationOutcome] = []
        if options["scheme"] == "dynamic":
            with _quiet():
                quantize_dynamic(
                    ready, unfinished, per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=excluded
                )
            errors: list[LayerError] = []
        else:
            images = choose_calibration_images(loaded, options["images"])
            quantize_statically(ready, unfinished, images, options["method"], excluded)
            progress(0.8)
            errors = measure_layers(ready, unfinished, images[:_LAYER_IMAGES])
            if options["compare"]:
                compared = compare_calibrations(loaded, ready, excluded, lambda part: progress(0.8 + 0.19 * part))
        _copy_metadata(float_path, unfinished)
        size = float_path.stat().st_size
        unfinished.replace(path)
    progress(1.0)
    facts = {
        "layers": [{"layer": e.layer, "operator": e.operator, "decibels": e.decibels} for e in errors],
        "fp32_bytes": size,
        "calibrations": [asdict(outcome) for outcome in compared],
        "calibrated_on": None if options["scheme"] == "dynamic" else {"split": "train", "n": len(images)},
    }
    return Exported(path, facts)


def prepare_file(source: Path, target: Path) -> None:
    """Bring an ONNX file of ours into the form that the quantizer takes."""
    quant_pre_process(str(source), str(target), skip_symbolic_shape=True, skip_optimization=True)


def quantize_statically(
    source: Path,
    target: Path,
    images: torch.Tensor,
    method: str,
    excluded: Sequence[str] = (),
    *,
    for_tensorrt: bool = False,
) -> None:
    """Write an ONNX file with the ranges of its activations found on images.

    Args:
        source: from :func:`prepare_file`.
        target: the file in QDQ format.
        images: ``(N, C, H, W)``, normalized, of training.
        method: a key of :data:`METHODS`.
        excluded: names of nodes that stay as they are.
        for_tensorrt: with zero points of 0 and biases in full precision, which is all that TensorRT reads.
    """
    with _quiet():
        quantize_static(
            source,
            target,
            ImageReader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=[*QUANTIZED, *_CARRIED],
            nodes_to_exclude=list(excluded),
            calibrate_method=METHODS[method],
            extra_options={"ActivationSymmetric": True, "QuantizeBias": False} if for_tensorrt else {},
        )


@dataclass(frozen=True, slots=True)
class CalibrationOutcome:
    """What one way to find the ranges makes of a network.

    Attributes:
        method: a key of :data:`METHODS`; empty for full precision.
        images: how many training images the ranges were found on.
        correct: of ``n`` other training images, how many are read rightly.
        n: of those.
        difference: the mean difference of a logit from PyTorch's.
    """

    method: str
    images: int
    correct: int
    n: int
    difference: float


def compare_calibrations(
    loaded: LoadedModel, ready: Path, excluded: Sequence[str], progress: Callable[[float], None]
) -> list[CalibrationOutcome]:
    """Every method with few and many images, judged on training images that no range was found on.

    Args:
        loaded: the network.
        ready: its ONNX file from :func:`prepare_file`.
        excluded: names of nodes that stay as they are.
        progress: is told the part that is done.

    Returns:
        Full precision first, then every method with each number of images.
    """
    every = choose_training_images(loaded, COUNTS[-1] + _JUDGED)
    images = normalize(every.images, loaded.spec).contiguous()
    judged, labels = images[COUNTS[-1] :].numpy(), every.labels[COUNTS[-1] :].numpy()
    wanted = compute_all_logits(open_session(ready), judged)
    found = [CalibrationOutcome("", 0, int((wanted.argmax(1) == labels).sum()), len(labels), 0.0)]
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "int8.onnx"
        for method in METHODS:
            for count in COUNTS:
                quantize_statically(ready, path, images[:count], method, excluded)
                logits = compute_all_logits(open_session(path), judged)
                correct = int((logits.argmax(1) == labels).sum())
                difference = float(np.abs(logits.astype(np.float64) - wanted).mean())
                found.append(CalibrationOutcome(method, count, correct, len(labels), difference))
                progress((len(found) - 1) / (len(METHODS) * len(COUNTS)))
    return found


def list_layers(path: Path) -> list[tuple[str, str, str]]:
    """The nodes of an ONNX file of ours in the order of execution: their name, the module they are of, the operator."""
    import onnx

    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    found = []
    for node in graph.node:
        scopes = next((p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"), None)
        names = ast.literal_eval(scopes) if scopes else [""]
        module = names[-2] if len(names) > 1 and names[-2] else names[-1]
        # A convolution that took in the norm behind it counts as the norm there; its weight knows better.
        weight = next((name for name in node.input if name in weights and name.endswith(".weight")), None)
        found.append((node.name, weight.removesuffix(".weight") if weight else module, node.op_type))
    return found


def measure_layers(float_path: Path, int8_path: Path, images: torch.Tensor) -> list[LayerError]:
    """How far the quantized values of each layer are from those of fp32.

    Args:
        float_path: what was quantized.
        int8_path: static, in QDQ format.
        images: ``(N, C, H, W)``, normalized.
    """
    import onnx

    with tempfile.TemporaryDirectory() as work, _quiet():
        seen = []
        for number, path in enumerate((int8_path, float_path)):
            open_path = str(Path(work) / f"{number}.onnx")
            modify_model_output_intermediate_tensors(str(path), open_path)
            seen.append(collect_activations(open_path, ImageReader(images)))
        errors = compute_activation_error(create_activation_matching(seen[0], seen[1]))
    graph = onnx.load(float_path).graph
    outputs = {node.name: node.output[0] for node in graph.node}
    behind = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Relu"}
    found = []
    for node, layer, operator in list_layers(float_path):
        if operator not in QUANTIZED:
            continue
        # onnxruntime computes a layer and the ReLU behind it in one go: there is one result for both.
        names = (outputs[node], behind.get(outputs[node], ""))
        decibels = next((errors[name]["xmodel_err"] for name in names if "xmodel_err" in errors.get(name, {})), None)
        if decibels is not None and math.isfinite(decibels):
            found.append(LayerError(layer, operator, float(decibels)))
    return found


def _copy_metadata(source: Path, target: Path) -> None:
    import onnx

    model = onnx.load(target)
    onnx.helper.set_model_props(model, {p.key: p.value for p in onnx.load(source).metadata_props})
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer's advice is for those who call it by hand."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
