"""A network as one self-contained ONNX file."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnn_demo.export.asking import check_answers
from cnn_demo.export.formats import Exported, ExportFailed, Progress
from cnn_demo.export.metadata import describe_network
from cnn_demo.export.reference_answers import make_reference_answers
from cnn_demo.export.runtime import open_session
from cnn_demo.export.whole_file import write_whole
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel

INPUT, OUTPUT = "images", "logits"


def export_onnx(loaded: LoadedModel, path: Path) -> None:
    """Write a network with torch.onnx (the dynamo exporter), its batch of any size, and check the file.

    The input ``images`` is ``(N, C, H, W)`` float32, normalized; the output ``logits`` is ``(N, classes)`` float32.
    What one needs to use it is in the metadata, see :func:`cnn_demo.export.metadata.describe_network`.

    Args:
        loaded: the network; it is not changed.
        path: the file, in a folder that exists; what is there is replaced when the new one is whole.

    Raises:
        ExportFailed: the network has an operator that ONNX cannot express.
        OSError: the file cannot be written.
    """
    shape = (loaded.spec.channels, loaded.spec.size, loaded.spec.size)
    write_proto(path, build_proto(choose_classifier(loaded.model), shape), describe_network(loaded))


def write_proto(path: Path, model: Any, facts: Mapping[str, Any]) -> None:
    """Check an ``onnx.ModelProto`` and write it with facts as its metadata, in place of what was at ``path``.

    Raises:
        OSError: the file cannot be written.
    """
    import onnx

    onnx.helper.set_model_props(model, {name: _as_text(value) for name, value in facts.items()})
    onnx.checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString())


def choose_classifier(model: nn.Module) -> nn.Module:
    """The part of a network that turns images into logits; of a CLIP with its captions embedded once for all."""
    as_classifier = getattr(model, "as_classifier", None)
    found: nn.Module = as_classifier() if as_classifier else model
    return found


def build_proto(
    model: nn.Module,
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
    names: tuple[str, str] = (INPUT, OUTPUT),
) -> Any:
    """The ``onnx.ModelProto`` of a model in eval mode that takes images ``(N, C, H, W)``.

    Args:
        model: on the CPU.
        shape: of one image, without the batch.
        dtype: of the images.
        names: of input and output.

    Raises:
        ExportFailed: an operator has no counterpart; the error names it.
    """
    example = torch.zeros(2, *shape, dtype=dtype)
    try:
        with _quiet():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[names[0]],
                output_names=[names[1]],
                verbose=False,
            )
    except RuntimeError as error:
        raise ExportFailed(
            N_("The network cannot be written as ONNX because of {operator}."), operator=_find_culprit(error)
        ) from error
    assert program is not None
    return program.model_proto


def _find_culprit(error: BaseException) -> str:
    """The operator that an error of the exporter is about, or its first line."""
    text, cause = str(error), error.__cause__
    while cause is not None:
        text, cause = f"{cause}\n{text}", cause.__cause__
    operator = re.search(r"aten(?:::|\.)(\w+)", text)
    return f"aten.{operator[1]}" if operator else text.strip().splitlines()[0][:200]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's progress and notes are not for people who look for an answer."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


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
