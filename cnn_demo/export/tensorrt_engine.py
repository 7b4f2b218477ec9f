"""A network as a TensorRT engine: built from its ONNX file for the GPU of this machine.

The engine is strongly typed: it computes with the numbers that the ONNX file has, so the precision is chosen there
(fp32 as it is, fp16 by onnxruntime's converter, int8 by its quantizer). That is the only way from TensorRT 11 on, and
works with 10. NVIDIA, "TensorRT developer guide", on strongly typed networks and on quantized types.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from cnn_demo.export.formats import Exported, ExportFailed, Progress
from cnn_demo.export.onnx_file import INPUT, OUTPUT, export_onnx
from cnn_demo.export.whole_file import write_whole
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel

if TYPE_CHECKING:
    from cnn_demo.export.runners import Runner

BATCHES = (1, 64, 256)  # the smallest, the one to be fastest at, the largest
_CALIBRATION = 512


def build_tensorrt(loaded: LoadedModel, folder: Path, options: Mapping[str, Any], progress: Progress) -> Exported:
    """The builder of the format ``tensorrt``.

    Args:
        loaded: the network.
        folder: where the engine goes.
        options: ``engine_precision``: fp32, fp16 or int8.
        progress: is told the part that is done.

    Raises:
        ExportFailed: no GPU or no TensorRT, or TensorRT refuses the network; its words are in the error.
        DatasetUnavailable: int8, and the training images are not on this machine.
        OSError: the file cannot be written.
    """
    if loaded.photo is not None:
        raise ExportFailed(N_("This network takes photographs; only a network of a data set can be exported."))
    _require_tensorrt()
    precision = options["engine_precision"]
    with tempfile.TemporaryDirectory(prefix=".tensorrt-", dir=folder) as work:
        source = Path(work) / "network.onnx"
        write_typed_onnx(loaded, source, precision)
        progress(0.3)
        engine = _build_engine(source.read_bytes(), (loaded.spec.channels, loaded.spec.size, loaded.spec.size))
    path = folder / f"{loaded.file_name}.{precision}.engine"
    write_whole(path, engine)
    progress(1.0)
    tensorrt = import_module("tensorrt")

    facts = {"precision": precision, "gpu": torch.cuda.get_device_name(), "tensorrt": tensorrt.__version__}
    return Exported(path, facts)


def write_typed_onnx(loaded: LoadedModel, path: Path, precision: str) -> None:
    """The network as ONNX with the types that the engine is to compute with; input and output stay fp32.

    Args:
        loaded: the network.
        path: the file.
        precision: ``fp32``, ``fp16`` or ``int8``.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    from cnn_demo.export.int8 import choose_calibration_images, prepare_file, quantize_statically

    export_onnx(loaded, path)
    if precision == "fp16":
        half = convert_float_to_float16(onnx.load(path), keep_io_types=True)
        OnnxModel(half).topological_sort()  # the converter puts its casts at the end
        onnx.checker.check_model(half)
        path.write_bytes(half.SerializeToString())
    elif precision == "int8":
        ready = path.with_suffix(".ready.onnx")
        prepare_file(path, ready)
        images = choose_calibration_images(loaded, _CALIBRATION)
        quantize_statically(ready, path, images, "minmax", for_tensorrt=True)
        ready.unlink()


def write_trtexec(onnx: str, shape: tuple[int, int, int]) -> str:
    """The command of TensorRT's own tool that builds an engine from an ONNX file of ours, in a shell.

    Args:
        onnx: the file's name.
        shape: ``(C, H, W)`` of an image.
    """
    sizes = [f"{INPUT}:{'x'.join(map(str, (batch, *shape)))}" for batch in BATCHES]
    shapes = " ".join(f"--{kind}Shapes={size}" for kind, size in zip(("min", "opt", "max"), sizes, strict=True))
    return f"trtexec --onnx={onnx} {shapes} --saveEngine={onnx.removesuffix('.onnx')}.engine"


def _require_tensorrt() -> None:
    if find_spec("tensorrt") is None:
        raise ExportFailed(N_("TensorRT is not installed here: {command}"), command="pip install tensorrt")
    if not torch.cuda.is_available():
        raise ExportFailed(N_("A TensorRT engine can only be built on an NVIDIA GPU, and none is to be seen here."))


def _build_engine(content: bytes, shape: tuple[int, int, int]) -> bytes:
    tensorrt = import_module("tensorrt")

    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    typed = getattr(tensorrt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(content):
        raise _refuse(parser.get_error(0).desc())
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT, *[(batch, *shape) for batch in BATCHES])
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise _refuse("build_serialized_network")
    return bytes(engine)


def _refuse(reason: str) -> ExportFailed:
    return ExportFailed(N_("TensorRT refuses the network: {reason}"), reason=reason)


def open_engine(path: Path) -> Runner:
    """What runs an engine: normalized images ``(N, C, H, W)`` float32 to logits ``(N, classes)`` float32.

    Raises:
        ExportFailed: no GPU or no TensorRT, or the engine was built for another machine.
    """
    _require_tensorrt()
    tensorrt = import_module("tensorrt")

    engine = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR)).deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise ExportFailed(N_("{file} was built for another GPU or another TensorRT."), file=path.name)
    context = engine.create_execution_context()
    classes = engine.get_tensor_shape(OUTPUT)[1]

    def run_batch(part: NDArray[np.float32]) -> torch.Tensor:
        images = torch.from_numpy(part).cuda().contiguous()
        logits = torch.empty((len(part), classes), device="cuda")
        context.set_input_shape(INPUT, tuple(images.shape))
        context.set_tensor_address(INPUT, images.data_ptr())
        context.set_tensor_address(OUTPUT, logits.data_ptr())
        stream = torch.cuda.current_stream()
        context.execute_async_v3(stream.cuda_stream)
        stream.synchronize()
        return logits.cpu()

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, len(images), BATCHES[-1])
        return torch.cat([run_batch(images[start : start + BATCHES[-1]]) for start in starts]).numpy()

    return run
