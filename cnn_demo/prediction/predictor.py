"""What one network makes of one drawing: its verdict, and its answer at every stage of the preparation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.drawing.prepare import Drawing, stage_inputs
from cnn_demo.prediction.calibration import Calibration, Verdict, judge

UNCALIBRATED = Calibration(temperature=1.0, threshold=float("-inf"), digits=0, false_alarms=0.0)


@dataclass(frozen=True, slots=True)
class StageAnswer:
    """The most probable class at a stage (its number) and its probability."""

    top: int
    probability: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One network's answer.

    Attributes:
        verdict: on the drawing as it was prepared.
        stages: the answers at all stages, as many as ``drawing.stages``; the last is the verdict's. Empty for an empty
            drawing.
    """

    verdict: Verdict
    stages: tuple[StageAnswer, ...]


@torch.inference_mode()
def predict_drawing(
    model: nn.Module, drawing: Drawing, spec: DatasetSpec, calibration: Calibration = UNCALIBRATED
) -> Reading:
    """Read a drawing, all stages in one forward pass.

    Args:
        model: in evaluation mode; not changed.
        drawing: prepared for ``spec``.
        spec: the data set of the network.
        calibration: of the model.
    """
    logits: Tensor = model(drawing.input if drawing.empty else stage_inputs(drawing, spec))  # (stages, classes)
    verdict = judge(logits[-1], calibration, empty=drawing.empty)
    if drawing.empty:
        return Reading(verdict, ())
    best = (logits.double() / calibration.temperature).softmax(1).max(1)
    answers = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Reading(verdict, tuple(StageAnswer(top, p) for top, p in answers))
