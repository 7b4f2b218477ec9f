"""The printed lines of ruled and squared paper, which are no ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cnn_demo.handwriting.mnist_frame import GrayImage

_LEAST_SIDE = 100  # of a picture in which lines of paper can be told from a digit's
_STRIPS = 32  # columns that a line is looked for in, each the mean of many pixels
_TURNS = np.radians(np.arange(-8, 8.1, 0.5))
_SPAN = 0.55  # of the strips: a line goes through so many at least; no stroke of a digit on a sheet does
_LEAST_LINES = 3
_FAINTEST = 0.04  # darkness of a line, averaged over a strip


def remove_ruling(dark: GrayImage) -> tuple[GrayImage, bool]:
    """Take the lines of the paper away, and leave the pen's strokes that cross them or run along them.

    A line of the paper is thin, straight, and goes through most of the picture; there are at least three of them,
    parallel or at a right angle. Where one is, what is thinner than a stroke across it is opened away (gray
    morphology), unless it is much darker than the lines are.

    Args:
        dark: ``(H, W)``, how much light is missing, 0 for paper.

    Returns:
        ``(H, W)`` without the lines, and whether there were any.
    """
    if min(dark.shape) < _LEAST_SIDE:
        return dark, False
    thickest = 2 * round(0.009 * max(dark.shape)) + 1  # pixels, blur included
    level, upright = _find_lines(dark, thickest), _find_lines(dark.T, thickest)
    found = [lines for lines in (level, upright) if lines is not None]
    if sum(lines.count for lines in found) < _LEAST_LINES:
        return dark, False
    clean = dark
    if level is not None:
        clean = level.remove_from(clean, thickest)
    if upright is not None:
        clean = upright.remove_from(clean.T, thickest).T
    return clean, True


class _Lines:
    """Parallel lines that run across a picture, nearly level.

    Attributes:
        count: how many.
        mask: ``(H, W)`` where they are, a little wider than they are.
    """

    def __init__(self, count: int, mask: NDArray[np.bool_]) -> None:
        self.count, self.mask = count, mask

    def remove_from(self, dark: GrayImage, thickest: int) -> GrayImage:
        """``(H, W)`` without them."""
        usual = float(np.median(ndimage.maximum_filter1d(dark, thickest, axis=0)[self.mask]))
        thin = self.mask & (dark < 1.6 * usual + 0.05)
        return np.where(thin, ndimage.grey_opening(dark, (thickest, 1)), dark)


def _find_lines(dark: GrayImage, thickest: int) -> _Lines | None:
    height, width = dark.shape
    edges = np.linspace(0, width, _STRIPS + 1).round().astype(int)
    # What is thin is no darker than all that is dark, so most drawings are done with here.
    if not _may_hold_line(_average_strips(dark, edges)):
        return None
    strips = _average_strips(_find_thin(dark, thickest), edges)
    if not _may_hold_line(strips):
        return None
    middles = (edges[:-1] + edges[1:]) / 2 - width / 2
    turn, level = max(((turn, _turn(strips, middles, turn)) for turn in _TURNS), key=lambda t: _sharpness(t[1]))
    there = ndimage.maximum_filter1d(level, 3, axis=0) > max(_FAINTEST, 3 * float(np.median(level)))
    on_line = there.mean(axis=1) >= _SPAN
    labels, count = ndimage.label(on_line)
    if count < 2 or max(np.bincount(labels)[1:]) > thickest + 2:
        return None
    wide = ndimage.binary_dilation(on_line, iterations=2)
    shift = np.round(np.tan(turn) * (np.arange(width) - width / 2)).astype(int)
    rows = np.clip(np.arange(height)[:, None] - shift[None], 0, height - 1)
    return _Lines(int(count), wide[rows])


def _average_strips(picture: GrayImage, edges: NDArray[np.int_]) -> NDArray[np.floating]:
    """``(H, W)`` -> ``(H, strips)``: the mean of each row between neighboring edges."""
    return np.add.reduceat(picture, edges[:-1], axis=1) / np.diff(edges).astype(np.float32)


def _find_thin(dark: GrayImage, thickest: int) -> GrayImage:
    """What is not higher than ``thickest`` pixels: ``(H, W)``, computed only around where anything is dark."""
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    place = np.s_[max(rows[0] - thickest, 0) : rows[-1] + thickest + 1, columns[0] : columns[-1] + 1]
    thin = np.zeros_like(dark)
    thin[place] = dark[place] - ndimage.grey_opening(dark[place], (thickest, 1))
    return thin


def _may_hold_line(strips: NDArray[np.floating]) -> bool:
    """False where too few strips have a dark row for any line, at whatever angle, to go through enough of them."""
    return float((strips.max(axis=0) > _FAINTEST).mean()) >= _SPAN


def _turn(strips: NDArray[np.floating], middles: NDArray[np.float64], turn: float) -> NDArray[np.floating]:
    """The strips ``(H, strips)`` moved up and down so that lines at this angle become level."""
    height = strips.shape[0]
    shift = np.round(np.tan(turn) * middles).astype(int)
    rows = np.clip(np.arange(height)[:, None] + shift[None], 0, height - 1)
    return np.take_along_axis(strips, rows, axis=0)


def _sharpness(level: NDArray[np.floating]) -> float:
    """How unevenly the darkness is spread over the rows: most where lines lie along them."""
    return float((level.mean(axis=1) ** 2).sum())
