"""Figures to download: size, words and color bar."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cnn_demo.plots import figures
from cnn_demo.plots.tiles import SEQUENTIAL, tile_maps


@pytest.mark.parametrize("note", ["", "each channel on its own scale"])
def test_figure_for_a_lecture(note: str) -> None:
    maps = np.random.default_rng(0).random((32, 28, 28), np.float32)
    tiles = tile_maps(maps, scale="channel" if note else "layer")
    figure = figures.draw_feature_maps("relu1: 32 maps", tiles, SEQUENTIAL, "Value", note)
    picture = Image.open(io.BytesIO(figures.figure_bytes(figure, "png")))
    assert picture.width == 1600
    svg = figures.figure_bytes(figure, "svg").decode()
    assert svg.lstrip().startswith("<?xml")
    assert len(figure.axes) == (1 if note else 2)  # with or without a color bar
    assert figure.axes[0].get_title() == "relu1: 32 maps"
    assert [text.get_text() for text in figure.axes[0].texts] == [str(i) for i in range(32)]
