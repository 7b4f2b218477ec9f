"""Pen strokes of thirty real people, to learn from: the training part of UCI's pen digits (see ``make_pens``).

They keep less than a pad does: eight points a digit, evenly spaced along the pen's way; not where the pen was lifted,
so that the bar of a crossed 7 hangs on a line that nobody drew; and not the proportions, since width and height were
both scaled to 100.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting import ink as inks
from cnn_demo.handwriting.skeletons import Path as PenPath
from cnn_demo.handwriting.skeletons import RandomStream
from cnn_demo.handwriting.skeletons.pen import curve
from cnn_demo.handwriting.strokes import PenVariation, picture

STROKES_FILE = Path(__file__).resolve().parents[1] / "assets" / "pen-digits" / "strokes.npz"
POINTS = 8
ASPECT = (0.5, 1.0)  # width of a digit for its height: what the recordings lost, made up again


def recordings() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Points ``(7494, 8, 2)`` from 0 to 100, y up, and labels ``(7494,)`` of the thirty writers' digits."""
    with np.load(STROKES_FILE) as kept:
        return kept["points"], kept["labels"]


def pen_path(points: NDArray[np.uint8], aspect: float, *, smooth: bool) -> PenPath:
    """The pen's way through a recording, about 1 high, y down: ``(k, 2)``.

    Args:
        points: ``(8, 2)`` from 0 to 100, y up.
        aspect: width for its height.
        smooth: in a smooth curve, as the pad draws; else straight from point to point.
    """
    path = points.astype(np.float64) * [aspect / 100, -0.01]
    return curve(path) if smooth else path


def draw_recordings(n: int, seed: int) -> Split:
    """Draw ``n`` of the recordings, each as often as the others, with a pad's pen, in MNIST's frame.

    Args:
        n: how many.
        seed: decides which come, their proportions and the pen; equal seeds give equal pictures.

    Returns:
        Images ``(n, 1, 28, 28)`` uint8 and labels ``(n,)`` int64.
    """
    points, labels = recordings()
    rng = np.random.default_rng([seed, 7])
    dice, hand = RandomStream(rng), PenVariation()
    order = np.concatenate([rng.permutation(len(points)) for _ in range(n // len(points) + 1)])[:n]
    images = np.zeros((n, 1, inks.FIELD, inks.FIELD), dtype=np.uint8)
    for i, at in enumerate(order):
        path = pen_path(points[at], dice.u(*ASPECT), smooth=dice.chance(hand.smoothed))
        images[i, 0] = picture([path], hand, dice)
    return Split(torch.from_numpy(images), torch.from_numpy(labels[order].astype(np.int64)))
