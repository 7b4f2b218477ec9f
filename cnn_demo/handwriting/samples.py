"""More training samples for digits: synthetic strokes, real pens, digits written again, and what is no digit."""

from __future__ import annotations

from collections.abc import Callable

import torch

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import NO_CLASS, Split
from cnn_demo.handwriting.pens import draw_recordings
from cnn_demo.handwriting.redraw import redraw_with_pen
from cnn_demo.handwriting.strokes import synthesize, synthesize_outliers

# How many are made, as a part of the training samples.
SYNTHETIC = 0.5
RECORDED = 0.15
REDRAWN = 0.2
OUTLIERS = 0.15
_TOLD_EVERY = 200
HELD_OUT_STYLES = 0.25  # part of the synthetic ones, where also the styles kept for validation may be learned


def extra_samples(
    spec: DatasetSpec,
    train: Split,
    seed: int,
    *,
    all_styles: bool = False,
    progress: Callable[[float], None] = lambda _part: None,
) -> Split | None:
    """Make more training samples for digits; None for other data sets.

    For each training sample :data:`SYNTHETIC` synthetic ones, :data:`REDRAWN` written again, :data:`RECORDED` by real
    pens (``handwriting.pens``), and :data:`OUTLIERS` letters, symbols and scribbles with the label ``NO_CLASS``. From
    these the network learns to give no class a high probability where there is no digit (Hendrycks, Mazeika,
    Dietterich, "Deep anomaly detection with outlier exposure", 2019).

    Args:
        spec: the data set.
        train: its training samples.
        seed: equal seeds give equal samples.
        all_styles: draw also the styles that are kept for validation: for a last training, which chooses nothing.
        progress: is told the part that is done, every few hundred samples. It may raise, to give up.

    Returns:
        Images ``(n, 1, 28, 28)`` uint8 in host memory and labels ``(n,)``.
    """
    if not spec.digits:
        return None
    total = len(train)
    synthetic = round(total * SYNTHETIC)
    held_out = round(synthetic * HELD_OUT_STYLES) if all_styles else 0
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % _TOLD_EVERY == 0:
            progress(min(done / (total * (SYNTHETIC + RECORDED + REDRAWN + OUTLIERS)), 1.0))

    outliers = synthesize_outliers(round(total * OUTLIERS), seed, "training", each=count)
    parts = [
        synthesize(synthetic - held_out, seed, each=count),
        redraw_with_pen(train, round(total * REDRAWN), seed, each=count),
        draw_recordings(round(total * RECORDED), seed, each=count),
        synthesize(held_out, seed, held_out=True, each=count),
        Split(outliers, torch.full((len(outliers),), NO_CLASS)),
    ]
    return Split(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))
