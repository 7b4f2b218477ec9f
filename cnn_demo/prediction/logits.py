"""Logits of many images, batch by batch: the one loop that the predictor, calibration and benchmarks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec

BATCH = 500


@torch.no_grad()
def compute_logits(model: nn.Module, images: Tensor, spec: DatasetSpec) -> Tensor:
    """Logits ``(N, classes)`` in eval mode, on the device of the model.

    Args:
        model: maps normalized images to logits; it is put back into the mode it was in.
        images: ``(N, C, H, W)``: bytes (uint8), which are normalized here, or float32 that is normalized already.
        spec: the data set of the model.
    """
    device = next(model.parameters()).device
    training = model.training
    if training:  # a shared model is in eval mode and is not touched
        model.eval()
    try:
        parts = [part.to(device) for part in images.split(BATCH)]
        return torch.cat([model(normalize(part, spec) if part.dtype == torch.uint8 else part) for part in parts])
    finally:
        if training:
            model.train()
