"""A prediction as plain data: what is said of an uncalibrated network and of an empty sheet, and the pictures."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cnn_demo.drawing.prepare import Stage
from cnn_demo.prediction.calibration import Calibration
from cnn_demo.prediction.load import load_model
from cnn_demo.prediction.plain_data import describe_prediction, encode_stage
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import SHIPPED_REF
from tests.unit.drawing.pads import SEVEN, pad


def test_a_verdict_needs_a_calibration_or_an_empty_sheet() -> None:
    loaded = load_model(SHIPPED_REF, Store())
    blank, seven = np.zeros((280, 280), np.uint8), pad(SEVEN)
    for calibration, verdict in ((None, None), (Calibration(1.0, -1e9, 1, 0.0), "sure")):
        predictor = Predictor(loaded, calibration)
        drawn, empty = (describe_prediction(found, predictor) for found in predictor.predict([seven, blank]))
        assert (drawn["label"], drawn["verdict"]) == ("7", verdict)
        assert (empty["label"], empty["verdict"], empty["runner_up"]) == (None, "empty", None)
        assert empty["warnings"] == ["empty"]
        assert abs(sum(drawn["probabilities"]) - 1) < 1e-9


def test_a_stage_is_a_png_of_its_pixels() -> None:
    values = np.array([[0.0, 0.5], [1.0, 1.7]], np.float32)
    found = np.asarray(Image.open(io.BytesIO(encode_stage(Stage("ink", "Ink", values)))))
    np.testing.assert_array_equal(found, [[0, 128], [255, 255]])
