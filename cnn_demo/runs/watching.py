"""What a run watches while it trains: drawings, prepared as the Draw page does it, and images of the test split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import Dataset
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.drawing.pictures import DrawingError
from cnn_demo.drawing.prepare import Drawing, prepare
from cnn_demo.runs.strip import MOST_PICTURES, UNKNOWN, WatchedPicture, keep_pictures, load_drawings


def prepare_watched(folder: Path, data: Dataset) -> Tensor:
    """Choose the pictures of a run and put them into its folder. A run that is resumed gets the same ones.

    The test split gives its first image of each class: the network never learns from them.

    Args:
        folder: of the run; has what the visitor drew.
        data: of the run.

    Returns:
        ``(N, C, H, W)`` float32, normalized; N is at most :data:`MOST_PICTURES`.
    """
    inputs, pictures = _prepare_drawings(folder, data.spec)
    labels = data.test.labels.numpy()
    # The first of each class that the split has; unique() gives the first index of each label.
    classes, first = np.unique(labels, return_index=True)
    room = MOST_PICTURES - len(pictures)
    for label, place in zip(classes[:room].tolist(), first[:room].tolist(), strict=True):
        image = data.test.images[place]  # (C, H, W)
        inputs.append(normalize(image, data.spec))
        pictures.append(WatchedPicture(image.permute(1, 2, 0).numpy(), label, drawn=False))
    keep_pictures(folder, pictures)
    return torch.stack(inputs)


def as_watched(drawing: Drawing, spec: DatasetSpec) -> WatchedPicture:
    """What was drawn, as the network sees it."""
    seen = drawing.stages[-1].image.reshape(spec.size, spec.size, -1)  # (H, W) or (H, W, 3) -> (H, W, C)
    return WatchedPicture(np.rint(seen * 255).astype(np.uint8), UNKNOWN, drawn=True)


def _prepare_drawings(folder: Path, spec: DatasetSpec) -> tuple[list[Tensor], list[WatchedPicture]]:
    """Inputs ``(C, H, W)`` and pictures of what the visitor drew, but what is blank or no picture."""
    inputs, pictures = [], []
    for drawing in load_drawings(folder):
        try:
            prepared = prepare(drawing, spec)
        except DrawingError:
            continue
        if prepared.empty:
            continue
        pictures.append(as_watched(prepared, spec))
        inputs.append(prepared.input[0])
    return inputs, pictures
