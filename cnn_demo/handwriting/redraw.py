"""Redrawing the digits of a data set with a round pen: the shapes that real people wrote, in the strokes of a pad.

A digit is thinned to its middle line (Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984,
with the correction of Lü and Wang, 1986, that keeps slanting lines of two pixels) and the line is drawn with a pen of
constant width, thin or thick, as on the pad.

scikit-image's ``skeletonize`` gives other lines (of 300 digits none is the same), so it would change what a seed gives.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.strokes import PenVariation, do_nothing, draw_in_frame

_FINER = 3  # thinning happens at three times the resolution, so that the line is not a staircase
_CHUNK = 500


def _deletions() -> tuple[Tensor, Tensor]:
    """For each of the 256 neighborhoods, whether the first and the second half-step delete the pixel: ``(256,)`` each.

    Bit i of the number is neighbor P(i + 2) of the paper: north, then clockwise.
    """
    tables = np.zeros((2, 256), dtype=np.uint8)
    for code in range(256):
        p = [code >> i & 1 for i in range(8)]
        rises = sum(p[i] == 0 and p[(i + 1) % 8] == 1 for i in range(8))
        north, east, south, west = p[0], p[2], p[4], p[6]
        if 3 <= sum(p) <= 6 and rises == 1:
            tables[0, code] = not (north and east and south) and not (east and south and west)
            tables[1, code] = not (north and east and west) and not (north and south and west)
    return torch.from_numpy(tables[0]), torch.from_numpy(tables[1])


_HALF_STEPS = _deletions()
_AROUND = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))  # north, then clockwise, in a padded picture


def thin_masks(masks: Tensor) -> Tensor:
    """Thin ink masks ``(N, H, W)`` uint8, 0 or 1, to middle lines one pixel wide, connected as the ink was."""
    masks = masks.clone()
    height, width = masks.shape[-2:]
    changed = True
    while changed:
        changed = False
        for table in _HALF_STEPS:
            padded = functional.pad(masks, (1, 1, 1, 1))
            code = torch.zeros_like(masks)
            for bit, (y, x) in enumerate(_AROUND):
                code |= padded[:, y : y + height, x : x + width] << bit
            delete = table.index_select(0, code.view(-1).int()).view(masks.shape) & masks
            if delete.any():
                masks -= delete
                changed = True
    return masks


def find_middle_lines(images: Tensor) -> list[NDArray[np.float64]]:
    """Find points ``(points, 2)``, x and y in thirds of a pixel, on the middle lines of images ``(N, 1, H, W)``."""
    lines = []
    for part in images.split(_CHUNK):
        finer = functional.interpolate(part.float(), scale_factor=_FINER, mode="bicubic", align_corners=False)
        skeletons = thin_masks((finer[:, 0] > 127).to(torch.uint8)).numpy()
        lines += [np.argwhere(skeleton)[:, ::-1].astype(np.float64) for skeleton in skeletons]
    return lines


def redraw_with_pen(split: Split, n: int, seed: int, *, each: Callable[[], None] = do_nothing) -> Split:
    """Redraw ``n`` digits of a split with the pens of a pad.

    Args:
        split: images ``(N, 1, 28, 28)`` uint8, white on black.
        n: how many; at most N are made.
        seed: decides which digits, and the pens.
        each: is called after every one that is drawn.

    Returns:
        Images ``(n, 1, 28, 28)`` uint8 and their labels.
    """
    rng, variation = np.random.default_rng([seed, 5]), PenVariation()
    chosen = split.take(np.sort(rng.permutation(len(split))[:n]))
    images = torch.zeros_like(chosen.images)
    for i, points in enumerate(find_middle_lines(chosen.images)):
        pen, fill = rng.uniform(*variation.pen), rng.uniform(*variation.fill)
        if len(points) > 1:
            field = draw_in_frame([points], pen, fill, dotted=True)
            images[i, 0] = torch.from_numpy((field * 255 + 0.5).astype(np.uint8))
        each()
    keep = torch.nonzero(images.flatten(1).any(dim=1))[:, 0]
    return Split(images[keep], chosen.labels[keep])
