"""A network ready to serve: the page's preparation and judge, and an engine that computes the logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnn_demo.drawing.prepare import Drawing
from cnn_demo.prediction.calibration import find_calibration
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.prediction.plain_data import describe_prediction, encode_stage
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.prediction.source import CheckpointSource, find_checkpoint
from cnn_demo.settings.reference import ModelRef
from cnn_demo.training.snapshot import META


class Engine(Protocol):
    """What computes logits."""

    def compute_logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``(N, classes)`` of normalized images ``(N, C, H, W)``; called by one thread at a time."""


@dataclass(frozen=True)
class ServedNetwork:
    """A network that answers.

    Attributes:
        predictor: prepares pictures and judges logits.
        engine: computes the logits.
        mark: tells the state of the reference that this network was loaded from, see :func:`read_mark`.
    """

    predictor: Predictor
    engine: Engine
    mark: object = None

    def describe(self) -> dict[str, Any]:
        """Which network it is, for every answer."""
        loaded = self.predictor.loaded
        return {
            "network": loaded.key,
            "step": loaded.step,
            "classes": list(loaded.spec.classes),
            "calibrated": self.predictor.calibration is not None,
        }

    def collect_inputs(self, drawing: Drawing, *, stages: bool) -> NDArray[np.float32]:
        """What the engine is asked about a drawing: ``(1 or stages, C, H, W)``."""
        return self.predictor.collect_inputs(drawing, stages=stages).numpy()

    def describe_answer(self, drawing: Drawing, logits: NDArray[np.float32]) -> dict[str, Any]:
        """The answer to a drawing.

        Args:
            drawing: prepared by the predictor.
            logits: ``(1 or stages, classes)`` of what :meth:`collect_inputs` gave.
        """
        return describe_prediction(self.predictor.judge_drawing(drawing, _as_tensor(logits)), self.predictor)

    def describe_stages(self, drawing: Drawing, logits: NDArray[np.float32]) -> list[dict[str, Any]]:
        """Every stage of the preparation with its picture and what the network would answer there."""
        answers = self.predictor.judge_drawing(drawing, _as_tensor(logits)).stages or (None,) * len(drawing.stages)
        classes = self.predictor.loaded.spec.classes
        return [
            {
                "name": stage.name,
                "title": stage.title,
                "label": None if answer is None else classes[answer.top],
                "probability": None if answer is None else answer.probability,
                "png": encode_stage(stage),
            }
            for stage, answer in zip(drawing.stages, answers, strict=True)
        ]


def _as_tensor(logits: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(logits))


def read_mark(ref: ModelRef, source: CheckpointSource) -> object:
    """What changes when a reference comes to mean other weights, or the same ones with a calibration.

    Raises:
        RunNotFound: no such run.
        OSError: the files of the run cannot be read.
    """
    if ref.kind != "run":
        return str(ref)
    checkpoint = find_checkpoint(ref, source)
    if checkpoint is None:
        return None
    return checkpoint.path, (checkpoint.path / META).stat().st_mtime_ns, _is_followed(ref, source)


def _is_followed(ref: ModelRef, source: CheckpointSource) -> bool:
    """Whether the reference names a run that still trains: the Draw page calibrates it only once it has ended."""
    return ref.kind == "run" and ref.step is None and source.is_active(ref.name)


def load_served_network(
    ref: ModelRef, source: CheckpointSource, open_engine: Callable[[LoadedModel], Engine]
) -> ServedNetwork:
    """Load, calibrate as the Draw page does, and make the engine; takes seconds.

    Raises:
        RunNotFound, CheckpointUnreadable, WeightsUnavailable, UnknownName: as for ``load_model``.
    """
    mark = read_mark(ref, source)  # before loading: a checkpoint that arrives meanwhile is then noticed as newer
    loaded = load_model(ref, source)
    calibration = None if _is_followed(ref, source) else find_calibration(loaded)
    return ServedNetwork(Predictor(loaded, calibration), open_engine(loaded), mark)
