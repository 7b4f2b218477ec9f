"""Logits of many images against the model called once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnn_demo.datasets.specs import get_spec
from cnn_demo.prediction import logits
from cnn_demo.prediction.logits import compute_logits

SPEC = get_spec("cifar10")


def test_bytes_and_normalized_images_give_what_the_model_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 30 * 30, 10))
    images = torch.randint(0, 256, (11, 3, 32, 32), dtype=torch.uint8)
    mean, std = torch.tensor(SPEC.mean).view(3, 1, 1), torch.tensor(SPEC.std).view(3, 1, 1)
    ready = (images / 255 - mean) / std
    monkeypatch.setattr(logits, "BATCH", 4)
    model.train()
    from_bytes, from_floats = compute_logits(model, images, SPEC), compute_logits(model, ready, SPEC)
    assert model.training
    with torch.no_grad():
        expected = model.eval()(ready)  # in training mode the norm would look at each batch
    torch.testing.assert_close(from_bytes, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(from_floats, expected, atol=1e-5, rtol=1e-5)
    assert not from_bytes.requires_grad
