"""What a browser sends is checked before it is used: it may be anything."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cnn_demo.ui.components.pad import SIDE, read_report


def url(pixels: np.ndarray, form: str = "PNG") -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=form)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def test_a_picture_comes_as_gray_pixels() -> None:
    rng = np.random.default_rng(5)
    ink = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    drawn = read_report({"seq": 7, "png": url(np.dstack([ink] * 3 + [np.full_like(ink, 255)]))})
    assert drawn is not None
    assert drawn.seq == 7
    assert drawn.image is not None
    assert drawn.image.dtype == np.uint8
    assert np.array_equal(drawn.image, ink)


def test_a_blank_pad_is_no_picture() -> None:
    for png in (None, url(np.zeros((SIDE, SIDE), np.uint8))):
        drawn = read_report({"seq": 3.0, "png": png})
        assert drawn is not None
        assert (drawn.seq, drawn.image) == (3, None)


@pytest.mark.parametrize(
    "report",
    [
        None,
        "picture",
        {"seq": 1, "png": 5},
        {"seq": "1", "png": None},
        {"seq": 0, "png": None},
        {"seq": float("nan"), "png": None},
        {"seq": 1, "png": "data:image/png;base64,%%%"},
        {"seq": 1, "png": "data:image/png;base64,aGVsbG8="},
        {"seq": 1, "png": url(np.full((SIDE, SIDE), 9, np.uint8))[:-400]},
        {"seq": 1, "png": url(np.full((SIDE, SIDE + 1), 9, np.uint8))},
        {"seq": 1, "png": url(np.full((SIDE, SIDE), 9, np.uint8), "BMP")},
        {"seq": 1, "png": "data:image/png;base64," + "A" * 500_000},
    ],
    ids=lambda report: str(report)[:60],
)
def test_what_is_no_report_of_a_pad_is_left_aside(report: object) -> None:
    assert read_report(report) is None
