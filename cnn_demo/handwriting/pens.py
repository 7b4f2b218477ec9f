"""Pen strokes of thirty real people, to learn from: the training part of UCI's pen digits (``scripts/make_pens.py``).

A recording holds less than a pad does: eight points a digit, evenly spaced along the path. It does not tell where the
pen was lifted, so that a line that nobody drew leads to the bar of a crossed 7; nor the proportions, since width and
height were both scaled to 100.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.mnist_frame import FIELD
from cnn_demo.handwriting.skeletons.pen import PenPath, RandomStream, curve
from cnn_demo.handwriting.strokes import PenVariation, do_nothing, draw_sample

STROKES_FILE = Path(__file__).resolve().parents[1] / "assets" / "pen-digits" / "strokes.npz"
POINTS = 8
ASPECT = (0.5, 1.0)  # width of a digit for its height, drawn at random, since the recordings do not tell it


def load_recordings() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load points ``(7494, 8, 2)`` from 0 to 100, y up, and labels ``(7494,)`` of the thirty writers' digits."""
    with np.load(STROKES_FILE) as stored:
        return stored["points"], stored["labels"]


def trace_recording(points: NDArray[np.uint8], aspect: float, *, smooth: bool) -> PenPath:
    """The pen path through a recording, about 1 high, y down: ``(k, 2)``.

    Args:
        points: ``(8, 2)`` from 0 to 100, y up.
        aspect: width for its height.
        smooth: a smooth curve joins the points, as on the pad; else straight lines.
    """
    path = points.astype(np.float64) * [aspect / 100, -0.01]
    return curve(path) if smooth else path


def draw_recordings(n: int, seed: int, *, each: Callable[[], None] = do_nothing) -> Split:
    """Draw ``n`` of the recordings, each as often as the others, with a pad's pen, in MNIST's frame.

    Args:
        n: how many.
        seed: decides which recordings, their proportions and the pen; equal seeds give equal pictures.
        each: is called after every one that is drawn.

    Returns:
        Images ``(n, 1, 28, 28)`` uint8 and labels ``(n,)`` int64.
    """
    points, labels = load_recordings()
    rng = np.random.default_rng([seed, 7])
    stream, variation = RandomStream(rng), PenVariation()
    order = np.concatenate([rng.permutation(len(points)) for _ in range(n // len(points) + 1)])[:n]
    images = np.zeros((n, 1, FIELD, FIELD), dtype=np.uint8)
    for i, at in enumerate(order):
        path = trace_recording(points[at], stream.u(*ASPECT), smooth=stream.chance(variation.smoothed))
        images[i, 0] = draw_sample([path], variation, stream)
        each()
    return Split(torch.from_numpy(images), torch.from_numpy(labels[order].astype(np.int64)))
