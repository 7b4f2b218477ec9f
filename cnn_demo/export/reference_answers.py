"""Images with the logits that PyTorch gave them: kept with an export, they tell later whether it still answers so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.handwriting.strokes import synthesize
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.prediction.logits import compute_logits

COUNT = 64
_SEED = 64_064


@dataclass(frozen=True)
class ReferenceAnswers:
    """What was asked, and what PyTorch answered.

    Attributes:
        inputs: ``(N, C, H, W)`` float32, normalized.
        logits: ``(N, classes)`` float32.
    """

    inputs: NDArray[np.float32]
    logits: NDArray[np.float32]

    def compare(self, logits: NDArray[np.float32]) -> tuple[int, float]:
        """How many have another top class in ``(N, classes)``, and the largest difference of a logit."""
        others = int((logits.argmax(1) != self.logits.argmax(1)).sum())
        return others, float(np.abs(logits.astype(np.float64) - self.logits).max())


def make_reference_answers(loaded: LoadedModel) -> ReferenceAnswers:
    """Ask a network about images that are the same each time: synthetic digits, or smooth noise for other data sets."""
    inputs = normalize(_make_images(loaded.spec), loaded.spec).contiguous()
    return ReferenceAnswers(inputs.numpy(), compute_logits(loaded.model, inputs, loaded.spec).numpy())


def _make_images(spec: DatasetSpec) -> torch.Tensor:
    """``(N, C, H, W)`` uint8."""
    if spec.digits:
        return synthesize(COUNT, _SEED).images
    rough = torch.rand((COUNT, spec.channels, 7, 7), generator=torch.Generator().manual_seed(_SEED))
    smooth = F.interpolate(rough, size=(spec.size, spec.size), mode="bilinear", align_corners=False)
    return (smooth * 255).round().to(torch.uint8)
