"""Many channels: the parts against one convolution, the costs against PyTorch's own modules."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.lessons import channels
from cnn_demo.lessons.exercises.channels import ask_questions


@pytest.mark.parametrize("seed", range(10))
def test_the_parts_of_the_input_channels_add_up_to_the_convolution(seed: int) -> None:
    stream = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(5, 11, 9, generator=stream), torch.randn(5, 3, 3, generator=stream)
    stride, padding, dilation = (1 + seed % 2, 1), (seed % 3, 1), (1, 1 + seed % 2)
    parts = channels.split_by_input(x, weight, stride, padding, dilation)
    expected = F.conv2d(x[None], weight[None], None, stride, padding, dilation)[0, 0]
    assert torch.allclose(parts.sum(0), expected, atol=1e-5)
    alone = F.conv2d(x[None, 2:3], weight[None, 2:3], None, stride, padding, dilation)[0, 0]
    assert torch.allclose(parts[2], alone, atol=1e-6)


def test_depthwise_and_pointwise_are_one_convolution_with_a_product_of_weights() -> None:
    stream = torch.Generator().manual_seed(0)
    x = torch.randn(4, 8, 8, generator=stream)
    depthwise, pointwise = torch.randn(4, 1, 3, 3, generator=stream), torch.randn(6, 4, 1, 1, generator=stream)
    full = pointwise * depthwise.transpose(0, 1)  # (6, 4, 1, 1) · (1, 4, 3, 3) -> (6, 4, 3, 3)
    found = channels.convolve_depthwise_pointwise(x, depthwise, pointwise)
    assert torch.allclose(found, F.conv2d(x[None], full, padding=1)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "groups"), [(32, 64, 3, 1), (32, 64, 3, 4), (8, 8, 5, 8), (16, 24, 1, 1)]
)
def test_costs_are_those_of_the_modules(inputs: int, outputs: int, kernel: int, groups: int) -> None:
    module = nn.Conv2d(inputs, outputs, kernel, groups=groups)
    cost = channels.count_cost(inputs, outputs, kernel, 100, groups)
    assert cost.parameters == sum(p.numel() for p in module.parameters())
    assert cost.multiply_adds == module.weight.numel() * 100
    pair = nn.Sequential(nn.Conv2d(inputs, inputs, kernel, groups=inputs), nn.Conv2d(inputs, outputs, 1))
    assert channels.count_separable_cost(inputs, outputs, kernel, 1).parameters == sum(
        p.numel() for p in pair.parameters()
    )


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    parameters, point, groups = ask_questions(random.Random(seed))
    values = parameters.text.values
    module = nn.Conv2d(values["inputs"], values["outputs"], values["kernel"])
    assert parameters.is_right(sum(p.numel() for p in module.parameters()))
    pixel, weight = (eval(point.text.values[name].replace("−", "-")) for name in ("pixel", "weight"))
    assert point.is_right(sum(a * b for a, b in zip(pixel, weight, strict=True)) + point.text.values["bias"])
    values = groups.text.values
    module = nn.Conv2d(values["inputs"], values["outputs"], 3, groups=values["groups"], bias=False)
    assert groups.is_right(module.weight.numel())
