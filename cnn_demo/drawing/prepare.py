"""From a drawing, a pad picture or a photo to a network's input, with every stage kept as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.drawing.stages import Stage, prepare_stages, squeeze


@dataclass(frozen=True)
class Drawing:
    """What :func:`prepare` made of a picture.

    Attributes:
        stages: the pictures in order; the last one is what the network sees, before normalization.
        input: ``(1, C, H, W)`` float32, normalized by the spec.
        empty: nothing is drawn; ``input`` is then blank.
        warnings: what a person may want to know: keys of :data:`cnn_demo.drawing.stages.WARNINGS`.
        crop: top, left, bottom, right (the last two exclusive) of the stage ``crop`` in the stage ``ink``; None where
            there is none.
    """

    stages: tuple[Stage, ...]
    input: Tensor
    empty: bool
    warnings: tuple[str, ...]
    crop: tuple[int, int, int, int] | None = None

    def stage(self, name: str) -> Stage:
        """One stage by name.

        Raises:
            KeyError: there is no such stage.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)


def prepare(image: NDArray[np.generic] | Image.Image, spec: DatasetSpec, *, photo: bool | None = None) -> Drawing:
    """Turn a picture into what a network trained on ``spec`` expects.

    Digits (``spec.digits``): luminance, ink from paper of either shade, crop, 20-pixel box, center of mass to the
    middle of 28 × 28. An MNIST image is a fixed point. Other data sets: grayscale or color, resized, not centered.

    Args:
        image: array or Pillow image, see :func:`cnn_demo.drawing.pictures.as_picture`. The pad's RGBA array fits.
        spec: the data set of the network.
        photo: whether to even out the light; None: where the paper is not one shade.

    Raises:
        DrawingError: the picture cannot be used.
    """
    made = prepare_stages(image, spec, photo=photo)
    return Drawing(made.stages, _make_input(made.stages[-1].image, spec), made.empty, made.warnings, made.crop)


def stage_inputs(drawing: Drawing, spec: DatasetSpec) -> Tensor:
    """Every stage squeezed to the network's size and normalized, to predict at each: ``(stages, C, H, W)``."""
    return torch.cat([_make_input(squeeze(stage.image, spec.size), spec) for stage in drawing.stages])


def _make_input(image: NDArray[np.float32], spec: DatasetSpec) -> Tensor:
    pixels = torch.tensor(image)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)  # (C, H, W)
    return normalize(pixels, spec)[None].contiguous()  # (1, C, H, W)
