"""The deep network against the same arithmetic in functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.inspect.architecture import layers
from cnn_demo.models.registry import count_parameters, create_model


def test_it_has_the_parameters_that_its_widths_give() -> None:
    by_hand = 0
    for before, width, kernel in ((1, 32, 5), (32, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 3), (128, 192, 3)):
        by_hand += before * width * kernel**2 + 2 * width  # the norm has a scale and a shift, the convolution no bias
    assert count_parameters(create_model("cnn-deep")) == by_hand + 192 * 10 + 10 == 363_178


def test_it_computes_what_functional_computes() -> None:
    torch.manual_seed(0)
    model = create_model("cnn-deep", channels=3, size=32, classes=7)
    model(torch.randn(64, 3, 32, 32) * 2 + 1)  # running statistics away from 0 and 1
    w, x = model.eval().state_dict(), torch.randn(4, 3, 32, 32)
    h = x
    for number, stride in enumerate((2, 1, 2, 1, 1, 2), 1):
        kernel = w[f"conv{number}.weight"]
        h = F.conv2d(h, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, var = (w[f"norm{number}.running_{what}"].view(1, -1, 1, 1) for what in ("mean", "var"))
        scale, shift = (w[f"norm{number}.{what}"].view(1, -1, 1, 1) for what in ("weight", "bias"))
        h = ((h - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)
    expected = h.mean(dim=(2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    torch.testing.assert_close(model(x), expected)


def test_its_maps_shrink_as_it_says() -> None:
    found = [layer.shape for layer in layers(create_model("cnn-deep").eval(), (1, 28, 28)) if layer.kind == "conv"]
    assert found == [(32, 14, 14), (32, 14, 14), (64, 7, 7), (64, 7, 7), (128, 7, 7), (192, 4, 4)]


def test_images_that_are_too_small_are_named() -> None:
    assert create_model("cnn-deep", size=8)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(ValueError, match="size = 7"):
        create_model("cnn-deep", size=7)
