"""A network as one self-contained ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cnn_demo import __version__
from cnn_demo.export.asking import check_answers
from cnn_demo.export.formats import Exported, ExportFailed, Progress
from cnn_demo.export.reference_answers import make_reference_answers
from cnn_demo.export.runtime import open_session
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel

INPUT, OUTPUT = "images", "logits"


def export_onnx(loaded: LoadedModel, path: Path) -> None:
    """Write a network with torch.onnx (the dynamo exporter), its batch of any size, and check the file.

    The input ``images`` is ``(N, C, H, W)`` float32, normalized; the output ``logits`` ``(N, classes)`` float32. What
    one needs to use it is in the metadata: classes, mean, std, data set, network, step, versions.

    Args:
        loaded: the network; it is not changed.
        path: the file.

    Raises:
        ExportFailed: the network has an operator that ONNX cannot express.
        OSError: the file cannot be written.
    """
    import onnx

    spec = loaded.spec
    example = torch.zeros(2, spec.channels, spec.size, spec.size)
    try:
        program = torch.onnx.export(
            loaded.model,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    except RuntimeError as error:
        message = N_("{network} cannot be written as ONNX: {reason}")
        raise ExportFailed(message, network=loaded.key, reason=str(error)) from error
    assert program is not None
    model = program.model_proto
    found = {
        "classes": json.dumps(spec.classes, ensure_ascii=False),
        "mean": json.dumps(spec.mean),
        "std": json.dumps(spec.std),
        "dataset": spec.name,
        "network": loaded.key,
        "step": str(loaded.step),
        "cnn_demo": __version__,
        "torch": torch.__version__,
    }
    onnx.helper.set_model_props(model, found)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def build_onnx(loaded: LoadedModel, folder: Path, options: Mapping[str, Any], progress: Progress) -> Exported:
    """The builder of the format ``onnx``; see :func:`export_onnx`. A file that answers otherwise is not kept.

    Raises:
        ExportFailed: also where the file does not agree, or the network takes photographs.
    """
    if loaded.photo is not None:
        raise ExportFailed(N_("This network takes photographs; only a network of a data set can be exported."))
    path = folder / f"{loaded.file_name}.onnx"
    unfinished = path.with_name(f".{path.name}.part")
    try:
        export_onnx(loaded, unfinished)
        progress(0.7)
        difference = check_answers(open_session(unfinished), make_reference_answers(loaded))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    progress(1.0)
    return Exported(path, {"largest_difference": difference})
