"""The weights alone: as safetensors, as a plain ``state_dict``, and as a program of torch.export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from cnn_demo.export.formats import Exported, ExportFailed
from cnn_demo.export.metadata import describe_network
from cnn_demo.export.onnx_file import choose_classifier
from cnn_demo.export.whole_file import replace_when_whole
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel


def build_weights(
    loaded: LoadedModel, folder: Path, _options: dict[str, Any], progress: Callable[[float], None]
) -> Exported:
    """Write every parameter and buffer as safetensors, with what :func:`describe_network` says in its metadata.

    Read it back with ``safetensors.torch.load_file(path)``.

    Raises:
        OSError: the file cannot be written.
    """
    path = folder / f"{loaded.file_name}.safetensors"
    tensors = {name: value.detach().cpu().contiguous() for name, value in loaded.model.state_dict().items()}
    about = {"cnn_demo": json.dumps(describe_network(loaded), ensure_ascii=False)}
    with replace_when_whole(path) as unfinished:
        save_file(tensors, unfinished, about)
    progress(1.0)
    return Exported(path)


def build_state_dict(
    loaded: LoadedModel, folder: Path, _options: dict[str, Any], progress: Callable[[float], None]
) -> Exported:
    """Write a plain ``state_dict``, which needs nothing of ours.

    Read it back with ``model.load_state_dict(torch.load(path, weights_only=True))``.

    Raises:
        OSError: the file cannot be written.
    """
    path = folder / f"{loaded.file_name}.pt"
    tensors = {name: value.detach().cpu().clone() for name, value in loaded.model.state_dict().items()}
    with replace_when_whole(path) as unfinished:
        torch.save(tensors, unfinished)
    progress(1.0)
    return Exported(path)


def build_program(
    loaded: LoadedModel, folder: Path, _options: dict[str, Any], progress: Callable[[float], None]
) -> Exported:
    """Write a program of torch.export, with a batch of any size: network and weights, without our code.

    Run it with ``torch.export.load(path).module()(images)``.

    Raises:
        ExportFailed: the network cannot be captured.
        OSError: the file cannot be written.
    """
    path = folder / f"{loaded.file_name}.pt2"
    spec = loaded.spec
    example = torch.zeros(2, spec.channels, spec.size, spec.size)
    try:
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(choose_classifier(loaded.model), (example,), dynamic_shapes=shapes)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportFailed(N_("torch.export cannot capture this network: {reason}"), reason=reason) from error
    about = {"cnn_demo.json": json.dumps(describe_network(loaded), ensure_ascii=False)}
    with replace_when_whole(path) as unfinished:
        torch.export.save(program, unfinished, extra_files=about)
    progress(1.0)
    return Exported(path)
