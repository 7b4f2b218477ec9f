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


def test_a_name_with_signs_of_mathematics_is_only_a_name() -> None:
    line = figures.Line("train", "Train", [0.0, 1.0], [2.0, 1.0])
    figure = figures.draw_curves(r"$\frac{$ of me", "Epoch", [figures.Panel("Loss", (line,))])
    assert figures.figure_bytes(figure, "png").startswith(b"\x89PNG")
    assert figures.figure_bytes(figure, "svg").lstrip().startswith(b"<?xml")


def test_fonts_that_are_newer_than_the_list_of_matplotlib_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = figures.font_manager.fontManager
    chinese = [font for font in manager.ttflist if font.name.startswith("Noto Sans CJK")]
    if not chinese:
        pytest.skip("no Noto Sans CJK on this machine")
    monkeypatch.setattr(manager, "ttflist", [font for font in manager.ttflist if font not in chinese])
    figures._learn_new_fonts.cache_clear()
    assert chinese[0].name in figures._list_installed(figures.FONTS)
