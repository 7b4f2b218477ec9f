"""The network without padding against the same arithmetic in functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.inspect.architecture import layers
from cnn_demo.models.registry import count_parameters, create_model


def test_it_has_the_parameters_that_its_widths_give() -> None:
    by_hand = 0
    for before, width in ((1, 32), (32, 48), (48, 96), (96, 128), (128, 160), (160, 192)):
        by_hand += before * width * 9 + 2 * width  # the norm has a scale and a shift, the convolution no bias
    assert count_parameters(create_model("cnn-unpadded")) == by_hand + 192 * 4 * 4 * 10 + 10 == 659_018


def test_it_computes_what_functional_computes() -> None:
    torch.manual_seed(0)
    model = create_model("cnn-unpadded", channels=3, size=32, classes=7)
    model(torch.randn(64, 3, 32, 32) * 2 + 1)  # running statistics away from 0 and 1
    w, x = model.eval().state_dict(), torch.randn(4, 3, 32, 32)
    h = x
    for number in range(1, 7):
        h = F.conv2d(h, w[f"conv{number}.weight"])
        mean, var = (w[f"norm{number}.running_{what}"].view(1, -1, 1, 1) for what in ("mean", "var"))
        scale, shift = (w[f"norm{number}.{what}"].view(1, -1, 1, 1) for what in ("weight", "bias"))
        h = ((h - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)
        if number == 2:
            h = F.max_pool2d(h, 2)
    expected = h.reshape(4, -1) @ w["fc.weight"].T + w["fc.bias"]
    torch.testing.assert_close(model(x), expected)


def test_its_maps_shrink_as_it_says() -> None:
    found = [layer.shape for layer in layers(create_model("cnn-unpadded").eval(), (1, 28, 28)) if layer.kind == "conv"]
    assert found == [(32, 26, 26), (48, 24, 24), (96, 10, 10), (128, 8, 8), (160, 6, 6), (192, 4, 4)]


def test_images_that_are_too_small_are_named() -> None:
    assert create_model("cnn-unpadded", size=22)(torch.zeros(2, 1, 22, 22)).shape == (2, 10)
    with pytest.raises(ValueError, match="size = 21"):
        create_model("cnn-unpadded", size=21)
