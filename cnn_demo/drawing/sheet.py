"""A light sheet that lies on something darker: where it is, so that only what is on it counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from cnn_demo.handwriting.mnist_frame import GrayImage

_LEAST_SIDE = 64
_SIDE = 128  # the longer side of the picture in which the sheet is looked for
_LEAST_SHARE, _MOST_SHARE = 0.05, 0.94  # of the picture
_DARKER = 0.62  # the surroundings have at most this part of the sheet's light
_SHARP = 0.35  # of the step in brightness lies within two pixels, nearly everywhere: light falls off, a sheet ends
_RECTANGULAR = 0.86  # of its bounding rectangle at the best angle; an ellipse fills 0.785 of it
_RECTANGULAR_AT_BORDER = 0.7  # where the picture cuts the sheet
_SQUAT = 1.8  # longer by shorter side of a sheet without ink; a written 1 is longer


def find_sheet(gray: GrayImage) -> GrayImage | None:
    """Find a light sheet of paper on a darker ground.

    The picture is parted by Otsu's threshold; the largest light piece with its holes filled is a sheet if it is about
    rectangular, ends sharply, and is mostly light.

    Args:
        gray: ``(H, W)`` in [0, 1].

    Returns:
        The picture cut to the sheet's bounding box, what lies around the sheet filled with the shade of its edge; None
        where there is no such sheet.
    """
    from cnn_demo.drawing.ink import find_otsu_threshold

    if min(gray.shape) < _LEAST_SIDE:
        return None
    height, width = gray.shape
    factor = max(1, round(max(gray.shape) / _SIDE))
    small = np.asarray(Image.fromarray(gray).reduce(factor), dtype=np.float32)
    light = small > find_otsu_threshold(small)
    if not 0 < light.mean() < 1 or float(small[~light].mean()) > _DARKER * float(small[light].mean()):
        return None
    labels, _count = ndimage.label(light)
    largest = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    sheet = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(largest, 2, mode="edge"), iterations=2))[2:-2, 2:-2]
    if not _is_sheet(small, sheet, light):
        return None
    inside = ndimage.binary_erosion(sheet, iterations=2, border_value=1)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    cut = tuple(slice(int(n[0]) * factor, (int(n[-1]) + 1) * factor) for n in (rows, columns))
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    filled = ndimage.uniform_filter(small[tuple(nearest)], 5)

    def enlarge(image: NDArray[np.float32]) -> GrayImage:
        large = Image.fromarray(image).resize((small.shape[1] * factor, small.shape[0] * factor))
        return np.asarray(large, dtype=np.float32)[:height, :width][cut]

    on_sheet = enlarge(inside.astype(np.float32)) > 0.5
    return np.where(on_sheet, gray[cut], enlarge(filled))


def _is_sheet(small: GrayImage, sheet: NDArray[np.bool_], light: NDArray[np.bool_]) -> bool:
    share = float(sheet.mean())
    if not _LEAST_SHARE <= share <= _MOST_SHARE or float(light[sheet].mean()) < 0.6:
        return False
    fill, ratio = _measure_rectangle(sheet)
    border = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    if fill < (_RECTANGULAR_AT_BORDER if border.mean() > 0.15 else _RECTANGULAR):
        return False
    inside = ndimage.binary_erosion(sheet, iterations=3, border_value=1)
    shade = float(np.median(small[sheet]))
    written = inside.any() and float((small[inside] < 0.75 * shade).mean()) > 0.002
    if not written and ratio > _SQUAT:
        return False
    edge = sheet & ~ndimage.binary_erosion(sheet, border_value=1)
    step = ndimage.maximum_filter(small, 5) - ndimage.minimum_filter(small, 5)
    whole = shade - float(small[~sheet].mean())
    return whole > 0 and edge.any() and float(np.percentile(step[edge], 20)) > _SHARP * whole


def _measure_rectangle(sheet: NDArray[np.bool_]) -> tuple[float, float]:
    """How much of its smallest bounding rectangle a shape fills, and that rectangle's longer by its shorter side."""
    y, x = np.nonzero(sheet & ~ndimage.binary_erosion(sheet))
    best = (0.0, 1.0)
    for angle in np.radians(np.arange(0, 90, 3)):
        high = float(np.ptp(np.cos(angle) * y - np.sin(angle) * x)) + 1
        wide = float(np.ptp(np.sin(angle) * y + np.cos(angle) * x)) + 1
        best = max(best, (float(sheet.sum()) / (high * wide), max(high, wide) / min(high, wide)))
    return best
