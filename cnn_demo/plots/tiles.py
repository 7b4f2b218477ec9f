"""Stacks of maps as one picture: every channel a tile, at native resolution times an integer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

Colors = Literal["sequential", "diverging"]
Scale = Literal["layer", "channel"]

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
_GAP = 1
_BACKGROUND = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class Tiles:
    """A picture of all channels and where each is in it.

    Attributes:
        picture: ``(height, width, 3)`` uint8, one pixel a unit; enlarge by ``zoom`` without smoothing.
        zoom: the integer that makes it comfortable to look at.
        columns, rows: tiles across and down.
        tile: height and width of one tile in units, without the gap of one.
        order: channel numbers in the order of the tiles.
        limits: ``(tiles, 2)`` float32, the values at both ends of the color scale.
    """

    picture: np.ndarray
    zoom: int
    columns: int
    rows: int
    tile: tuple[int, int]
    order: np.ndarray
    limits: np.ndarray

    def corner(self, place: int) -> tuple[int, int]:
        """Row and column in ``picture`` of the first unit of the tile at ``place`` in the order."""
        return (place // self.columns) * (self.tile[0] + _GAP), (place % self.columns) * (self.tile[1] + _GAP)

    @property
    def enlarged(self) -> np.ndarray:
        """``(height · zoom, width · zoom, 3)`` uint8, each unit a square of whole pixels."""
        return self.picture.repeat(self.zoom, 0).repeat(self.zoom, 1)


def tile_maps(
    maps: np.ndarray,
    *,
    colors: Colors = "sequential",
    scale: Scale = "layer",
    order: np.ndarray | None = None,
    width: int = 1000,
    largest: int = 12,
) -> Tiles:
    """Lay out ``(C, H, W)`` maps.

    Args:
        maps: ``(C, H, W)``; NaN shows as gray.
        colors: "sequential" from the smallest value to the largest (from 0 where nothing is negative), or "diverging"
            with 0 in the middle.
        scale: one scale for the whole layer, or one for each channel.
        order: channel numbers to show, in this order; all by default.
        width: pixels that the enlarged picture may take across.
        largest: the largest zoom.
    """
    maps = np.asarray(maps, np.float32)
    order = np.arange(len(maps)) if order is None else np.asarray(order)
    shown = maps[order]
    ends = color_limits(shown, colors, scale)
    pixels = color_values(shown, ends[:, None, None, :], colors)
    return _arrange(pixels, order, ends, width, largest)


def tile_color_kernels(kernels: np.ndarray, *, width: int = 1000, largest: int = 12) -> Tiles:
    """Kernels that read red, green and blue, each as one small color picture; gray is zero.

    Args:
        kernels: ``(O, 3, h, w)``.
        width, largest: as for :func:`tile_maps`.
    """
    limit = float(np.abs(kernels).max()) or 1.0
    pixels = ((kernels / limit * 0.5 + 0.5) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)  # (O, h, w, 3)
    ends = np.tile(np.array([-limit, limit], np.float32), (len(kernels), 1))
    return _arrange(pixels, np.arange(len(kernels)), ends, width, largest)


def _arrange(pixels: np.ndarray, order: np.ndarray, ends: np.ndarray, width: int, largest: int) -> Tiles:
    """Tiles ``(N, h, w, 3)`` uint8 in rows and columns."""
    count, h, w = pixels.shape[:3]
    columns = _count_columns(count, h, w)
    rows = -(-count // columns)
    padded = np.full((rows * columns, h + _GAP, w + _GAP, 3), _BACKGROUND, np.uint8)
    padded[:count, :h, :w] = pixels
    # (rows, columns, h, w, 3) -> (rows, h, columns, w, 3): neighbors in a row of tiles come to lie side by side
    grid = padded.reshape(rows, columns, h + _GAP, w + _GAP, 3).swapaxes(1, 2)
    picture = grid.reshape(rows * (h + _GAP), columns * (w + _GAP), 3)[:-_GAP, :-_GAP]
    zoom = max(1, min(width // picture.shape[1], largest))
    return Tiles(np.ascontiguousarray(picture), zoom, columns, rows, (h, w), order, ends)


def color_limits(maps: np.ndarray, colors: Colors, scale: Scale) -> np.ndarray:
    """The ends of the color scale for each of ``(C, H, W)`` maps: ``(C, 2)`` float32."""
    axes = (0, 1, 2) if scale == "layer" else (1, 2)
    if maps.size == 0:
        return np.zeros((len(maps), 2), np.float32)
    clean = np.nan_to_num(maps, nan=0.0)
    low, high = clean.min(axes), clean.max(axes)
    if colors == "diverging":
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    else:
        low = np.minimum(low, 0)
    return np.broadcast_to(np.stack([low, high], -1), (len(maps), 2)).astype(np.float32)


def color_values(values: np.ndarray, ends: np.ndarray, colors: Colors) -> np.ndarray:
    """Values to colors: ``(...)`` and ends ``(..., 2)`` to ``(..., 3)`` uint8."""
    low, high = ends[..., 0], ends[..., 1]
    span = np.where(high > low, high - low, 1)
    # Where nothing varies, a diverging scale shows its middle: 0 is 0.
    zero = 0.5 if colors == "diverging" else 0.0
    share = np.where(high > low, (values - low) / span, zero)
    index = np.clip(np.nan_to_num(share) * 255 + 0.5, 0, 255).astype(np.uint8)
    rgb = color_table(DIVERGING if colors == "diverging" else SEQUENTIAL)[index]
    missing = np.isnan(values)
    if missing.any():
        rgb[missing] = _BACKGROUND
    return rgb


@lru_cache(maxsize=4)
def color_table(name: str) -> np.ndarray:
    """A color map of matplotlib as ``(256, 3)`` uint8."""
    from matplotlib import colormaps

    return (colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _count_columns(count: int, h: int, w: int) -> int:
    """Across: a power of two for the usual channel numbers, wider than high."""
    best = max(1, round((count * 2.2 * (h + _GAP) / (w + _GAP)) ** 0.5))
    power = 2 ** round(math.log2(best))
    return min(count, power) if count % power == 0 or count <= power else min(count, best)
