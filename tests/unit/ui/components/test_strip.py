"""The bytes of a strip, read again as the browser reads them."""

from __future__ import annotations

import base64
import io
import json
import struct

import numpy as np
from PIL import Image

from cnn_demo.runs.strip import UNKNOWN, Strip, WatchedPicture
from cnn_demo.ui.components.strip import Look, pack_strip


def test_the_browser_gets_pictures_probabilities_and_kernels() -> None:
    gray = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    kernels = np.zeros((2, 3, 1, 2, 2), np.float32)
    kernels[0, 1, 0, 0, 1], kernels[0, 2, 0, 1, 1] = -0.5, 0.25
    probabilities = np.array([[[0.1, 0.9], [0.5, 0.5]], [[0.0, 1.0], [0.7, 0.3]]], np.float32)
    pictures = (WatchedPicture(gray, UNKNOWN, drawn=True), WatchedPicture(gray + 1, 1, drawn=False))
    strip = Strip(pictures, np.array([0, 9]), np.array([0.0, 0.5]), probabilities, kernels)
    data = pack_strip(strip, ["cat", "dog"])

    (size,) = struct.unpack_from("<I", data)
    assert size % 4 == 0, "the browser reads the floats where they lie"
    header = json.loads(data[4 : 4 + size])
    assert (header["steps"], header["epochs"], header["classes"]) == ([0, 9], [0.0, 0.5], ["cat", "dog"])
    assert [(picture["label"], picture["drawn"]) for picture in header["pictures"]] == [(-1, True), (1, False)]
    png = base64.b64decode(header["pictures"][1]["src"].partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), gray[:, :, 0] + 1)
    assert np.array_equal(np.frombuffer(data, "<f4", 8, 4 + size), probabilities.ravel())
    values = np.frombuffer(data, np.int8, 24, 4 + size + 32).reshape(2, *header["kernels"])
    assert (values[0, 1, 0, 0, 1], values[0, 2, 0, 1, 1]) == (-127, 64), "127 is the largest of that moment"
    assert not values[1].any(), "kernels of zeros are no division by zero"


def test_a_color_picture_and_a_network_without_filters() -> None:
    color = np.full((2, 2, 3), 9, np.uint8)
    one, none = np.ones((1, 1, 1), np.float32), np.zeros((1, 0, 0, 0, 0), np.float32)
    strip = Strip((WatchedPicture(color, 0, False),), np.array([0]), np.array([0.0]), one, none)
    data = pack_strip(strip, ["all"])
    (size,) = struct.unpack_from("<I", data)
    assert json.loads(data[4 : 4 + size])["kernels"] == [0, 0, 0, 0]
    assert len(data) == 4 + size + 4


def test_a_part_of_a_strip_has_the_probabilities_of_its_own_pictures() -> None:
    image = np.zeros((2, 2, 1), np.uint8)
    drawn = [WatchedPicture(image, UNKNOWN, drawn=True), WatchedPicture(image + 9, UNKNOWN, drawn=True)]
    pictures = (*drawn, WatchedPicture(image, 0, drawn=False))
    probabilities = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    strip = Strip(pictures, np.array([0, 9]), np.array([0.0, 0.5]), probabilities, np.ones((2, 1, 1, 3, 3), np.float32))
    for look, place in ((Look("drawing", "group", "title"), 0), (Look("samples", "group", "title"), 2)):
        data = pack_strip(strip, ["a", "b"], look)
        (size,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + size])
        assert (header["part"], header["group"], header["title"]) == (look.part, "group", "title")
        assert [picture["drawn"] for picture in header["pictures"]] == [place == 0]
        assert np.array_equal(np.frombuffer(data[4 + size :], "<f4"), probabilities[:, place].ravel())
        assert header["kernels"] == [0, 1, 3, 3]
