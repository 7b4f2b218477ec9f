"""Tiles and their colors: every unit one pixel, zero in the middle of a diverging scale."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from cnn_demo.plots.tiles import SEQUENTIAL, color_limits, color_values, tile_color_kernels, tile_maps


@pytest.mark.parametrize("shape", [(32, 28, 28), (64, 14, 14), (512, 1, 1), (7, 5, 9), (1, 3, 3), (96, 7, 7)])
def test_every_unit_is_one_pixel(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).random(shape, np.float32)
    order = np.random.default_rng(1).permutation(shape[0])
    made = tile_maps(maps, order=order)
    lut = (mpl.colormaps[SEQUENTIAL](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    span = maps.max()
    for place, channel in enumerate(order):
        top, left = made.corner(place)
        shown = made.picture[top : top + shape[1], left : left + shape[2]]
        index = np.floor(maps[channel] / span * 255 + 0.5).astype(int)
        assert np.abs(shown.astype(int) - lut[index]).max() <= 6  # one step of the table, for rounding
    assert made.enlarged.shape == (made.picture.shape[0] * made.zoom, made.picture.shape[1] * made.zoom, 3)
    assert (made.enlarged[:: made.zoom, :: made.zoom] == made.picture).all()


def test_scales() -> None:
    maps = np.stack([np.linspace(0, 1, 4).reshape(2, 2), np.linspace(-2, 8, 4).reshape(2, 2)]).astype(np.float32)
    assert color_limits(maps, "sequential", "layer").tolist() == [[-2, 8], [-2, 8]]
    assert color_limits(maps, "sequential", "channel").tolist() == [[0, 1], [-2, 8]]
    assert color_limits(maps, "diverging", "channel").tolist() == [[-1, 1], [-8, 8]]


def test_zero_is_the_middle_of_a_diverging_scale() -> None:
    ends = np.array([-4.0, 4.0])
    colors = color_values(np.array([-4.0, 0.0, 4.0, np.nan]), ends, "diverging").astype(int)
    assert colors[0][2] > colors[0][0] + 50  # blue
    assert colors[2][0] > colors[2][2] + 50  # red
    assert colors[1].min() > 240
    assert colors[3].tolist() == [128, 128, 128]
    flat = color_values(np.zeros(3), np.zeros((3, 2)), "diverging")
    assert flat.min() > 240


def test_kernels_in_color() -> None:
    kernels = np.zeros((5, 3, 2, 2), np.float32)
    kernels[3, 0] = 2.0  # red only
    kernels[4] = -2.0
    made = tile_color_kernels(kernels)
    colors = [made.picture[made.corner(k)].tolist() for k in range(5)]
    assert colors == [[128, 128, 128]] * 3 + [[255, 128, 128], [0, 0, 0]]
