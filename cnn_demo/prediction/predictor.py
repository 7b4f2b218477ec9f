"""What a network makes of pictures. The app, the command line and the benchmarks ask here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnn_demo.drawing.pictures import as_picture, flatten
from cnn_demo.drawing.prepare import Drawing, Stage, prepare, stage_inputs
from cnn_demo.locales import N_
from cnn_demo.prediction.calibration import Calibration, Verdict, judge, soften
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.prediction.logits import compute_logits

UNCALIBRATED = Calibration(temperature=1.0, threshold=float("-inf"), digits=0, false_alarms=0.0)


@dataclass(frozen=True, slots=True)
class StageAnswer:
    """The most probable class at a stage (its number) and its probability."""

    top: int
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """One network's answer to one picture.

    Attributes:
        drawing: the picture as it was prepared for the network.
        verdict: on the drawing.
        stages: the answers at all stages, as many as ``drawing.stages``; the last is the verdict's. Empty for an empty
            drawing, and where they were not asked for.
    """

    drawing: Drawing
    verdict: Verdict
    stages: tuple[StageAnswer, ...] = ()

    @property
    def probabilities(self) -> tuple[float, ...]:
        """One for each class; they sum to 1."""
        return self.verdict.probabilities


class Predictor:
    """A network with what is known of its reliability.

    Args:
        loaded: the network; it is not changed.
        calibration: of exactly these weights; None gives raw probabilities, and only a dot is called no digit.
    """

    def __init__(self, loaded: LoadedModel, calibration: Calibration | None = None) -> None:
        self.loaded, self.calibration = loaded, calibration
        self._judge_by = calibration or UNCALIBRATED

    def prepare(self, picture: NDArray[np.generic] | Image.Image) -> Drawing:
        """A picture as the network wants it, with every stage.

        Args:
            picture: see :func:`cnn_demo.drawing.pictures.as_picture`.

        Raises:
            DrawingError: the picture cannot be used.
        """
        if self.loaded.photo is None:
            return prepare(picture, self.loaded.spec)
        pixels, ready = self.loaded.photo.prepare(flatten(as_picture(picture)))
        image = pixels.transpose(1, 2, 0).astype(np.float32) / np.float32(255)  # (3, H, W) -> (H, W, 3)
        return Drawing((Stage("resized", N_("Resized for the network"), image),), ready, False, ())

    def predict(self, pictures: Sequence[NDArray[np.generic] | Image.Image]) -> list[Prediction]:
        """Prepare pictures and predict each.

        Raises:
            DrawingError: one of the pictures cannot be used.
        """
        return self.predict_drawings([self.prepare(picture) for picture in pictures])

    def predict_drawings(self, drawings: Sequence[Drawing], *, stages: bool = False) -> list[Prediction]:
        """Predict what was prepared already, all in few batches.

        Args:
            drawings: prepared for the network's data set.
            stages: also answer at every stage of the preparation.
        """
        if not drawings:
            return []
        inputs = [self.collect_inputs(drawing, stages=stages) for drawing in drawings]
        every = compute_logits(self.loaded.model, torch.cat(inputs), self.loaded.spec)
        logits = every.split([len(part) for part in inputs])
        return [self.judge_drawing(drawing, rows) for drawing, rows in zip(drawings, logits, strict=True)]

    def collect_inputs(self, drawing: Drawing, *, stages: bool = False) -> Tensor:
        """What the network is asked about a drawing: ``(1, C, H, W)``, with ``stages`` ``(stages, C, H, W)``."""
        return stage_inputs(drawing, self.loaded.spec) if stages and not drawing.empty else drawing.input

    def judge_drawing(self, drawing: Drawing, logits: Tensor) -> Prediction:
        """The prediction from logits that were computed elsewhere, such as by onnxruntime.

        Args:
            drawing: prepared for the network's data set.
            logits: ``(1 or stages, classes)`` of what :meth:`collect_inputs` gave; the last row is that of what the
                network sees.
        """
        verdict = self._verdict(drawing, logits[-1])
        if len(logits) == 1:
            return Prediction(drawing, verdict)
        best = soften(logits, self._judge_by).max(1)
        answers = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return Prediction(drawing, verdict, tuple(StageAnswer(top, p) for top, p in answers))

    def _verdict(self, drawing: Drawing, logits: Tensor) -> Verdict:
        """The verdict on logits ``(classes,)``. A dot is no digit, however sure the network is of a 0."""
        verdict = judge(logits, self._judge_by, empty=drawing.empty)
        return replace(verdict, kind="not_a_digit") if "dot" in drawing.warnings else verdict

    def judge_variations(self, drawing: Drawing, inputs: Tensor) -> list[Verdict]:
        """What to say of a drawing that was changed behind its preparation (turned, shifted, made thicker).

        Args:
            drawing: as it was: the variations of a dot are dots.
            inputs: ``(N, C, H, W)``, normalized.
        """
        logits = compute_logits(self.loaded.model, inputs, self.loaded.spec)
        return [self._verdict(drawing, row) for row in logits]

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Probabilities ``(N, classes)`` float64 of images ``(N, C, H, W)``, uint8 or normalized already."""
        return self.probabilities_of(compute_logits(self.loaded.model, inputs, self.loaded.spec))

    def probabilities_of(self, logits: Tensor) -> Tensor:
        """Probabilities ``(N, classes)`` float64 of logits ``(N, classes)`` that this network gave."""
        return soften(logits, self._judge_by)
