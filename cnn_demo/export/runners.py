"""Running a network in whatever format it was exported to: normalized images in, logits out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from cnn_demo.export.browser_runner import VARIABLE, BrowserRunner, find_browser
from cnn_demo.export.formats import ExportFailed
from cnn_demo.export.runtime import open_session
from cnn_demo.export.tensorrt_engine import open_engine
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel

NO_BROWSER = N_(
    "The file was not asked: this machine has no Chromium, Chrome or Edge, or {variable} does not name it. Open the "
    "file: it says itself whether it agrees."
)

# Normalized images ``(N, C, H, W)`` float32 to logits ``(N, classes)`` float32.
Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def open_runner(format: str, path: Path | None, loaded: LoadedModel, threads: int) -> Runner:
    """What computes the logits of an exported file.

    Args:
        format: ``pytorch`` for the network itself, or a format that computes or holds weights.
        path: the file; None for the network itself.
        loaded: the network that was exported; formats that hold weights only are put into a copy of it.
        threads: for onnxruntime; PyTorch's own number is left as it is.

    Raises:
        ExportFailed: the file cannot be run.
    """
    try:
        if path is None:
            return _run_module(loaded.model)
        if format in ("onnx", "int8"):
            return open_session(path, threads).compute_logits
        if format == "html":
            return BrowserRunner(path, _need_browser())
        if format == "tensorrt":
            return open_engine(path)
        if format == "pt2":
            program: nn.Module = torch.export.load(path).module()
            return _run_module(program)
        if format in ("weights", "state_dict"):
            model = copy.deepcopy(loaded.model)
            for parameter in model.parameters():
                nn.init.zeros_(parameter)  # what the file does not bring would show
            model.load_state_dict(load_file(path) if format == "weights" else torch.load(path, weights_only=True))
            return _run_module(model)
    except ExportFailed:
        raise
    except Exception as error:  # each library raises its own when it is given no model
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ExportFailed(
            N_("{file} cannot be run: {reason}"), file=path.name if path else "", reason=reason
        ) from error
    raise ExportFailed(N_("Files of the format {format} cannot be run here."), format=format)


def close_runner(runner: Runner) -> None:
    """Let go of what a runner holds beyond memory: a browser."""
    if isinstance(runner, BrowserRunner):
        runner.close()


def time_call(runner: Runner, images: NDArray[np.float32]) -> float:
    """Seconds that one call computes; a browser says itself how long, so that the way to it does not count."""
    began = time.perf_counter()
    runner(images)
    return runner.seconds if isinstance(runner, BrowserRunner) else time.perf_counter() - began


def _need_browser() -> str:
    program = find_browser()
    if program is None:
        raise ExportFailed(NO_BROWSER, variable=VARIABLE)
    return program


def _run_module(model: nn.Module) -> Runner:
    @torch.no_grad()
    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = model(torch.from_numpy(images)).numpy()
        return logits

    return run
