"""PNG files: what was put in comes out again, bit for bit."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cnn_demo.plots.png import data_url, png_bytes


@pytest.mark.parametrize(("shape", "mode"), [((7, 5), "L"), ((7, 5, 3), "RGB"), ((7, 5, 4), "RGBA")])
def test_pixels_survive(shape: tuple[int, ...], mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = Image.open(io.BytesIO(png_bytes(pixels)))
    assert (picture.format, picture.mode) == ("PNG", mode)
    assert np.array_equal(np.asarray(picture), pixels)
    head, text = data_url(pixels).split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(text) == png_bytes(pixels)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)])
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        png_bytes(pixels)
