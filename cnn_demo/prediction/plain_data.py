"""A prediction as plain data: what the command line prints and the HTTP service answers."""

from __future__ import annotations

from typing import Any

from cnn_demo.drawing.prepare import Stage
from cnn_demo.plots.png import png_bytes
from cnn_demo.prediction.predictor import Prediction, Predictor


def describe_prediction(prediction: Prediction, predictor: Predictor) -> dict[str, Any]:
    """Class, verdict, probabilities and warnings. An uncalibrated network gives no verdict, except on an empty sheet.

    Args:
        prediction: by ``predictor``.
        predictor: knows the names of the classes, and whether there is a calibration.
    """
    verdict, drawing, classes = prediction.verdict, prediction.drawing, predictor.loaded.spec.classes
    return {
        # An empty sheet has no digit: whatever the network says of it is not an answer.
        "label": None if drawing.empty else classes[verdict.top],
        "verdict": verdict.kind if predictor.calibration or drawing.empty else None,
        "runner_up": None if drawing.empty else classes[verdict.runner_up],
        "entropy_bits": verdict.entropy_bits,
        "probabilities": list(prediction.probabilities),
        "warnings": list(drawing.warnings),
    }


def encode_stage(stage: Stage) -> bytes:
    """The picture of a stage as a PNG file."""
    return png_bytes((stage.image.clip(0, 1) * 255).round().astype("uint8"))
