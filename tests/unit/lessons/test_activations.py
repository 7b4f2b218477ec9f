"""Activations against PyTorch's modules, written-out slopes, and a stack built of nn.Linear."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import nn

from cnn_demo.lessons import activations
from cnn_demo.lessons.exercises.activations import ask_questions

MODULES = {
    "relu": nn.ReLU(), "leaky-relu": nn.LeakyReLU(), "silu": nn.SiLU(), "gelu": nn.GELU(), "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MODULES))
def test_curve_and_slope(name: str) -> None:
    x = torch.linspace(-4, 4, 41, dtype=torch.float64) + 0.013
    function = activations.ACTIVATIONS[name]
    assert torch.allclose(function(x), MODULES[name](x))
    by_difference = (MODULES[name](x + 1e-6) - MODULES[name](x - 1e-6)) / 2e-6
    assert torch.allclose(activations.find_slope(function, x), by_difference, atol=1e-6)


def test_slopes_that_a_textbook_gives() -> None:
    x = torch.tensor([0.0, 2.0])
    s = torch.sigmoid(x)
    assert torch.allclose(activations.find_slope(torch.sigmoid, x), s * (1 - s))
    assert torch.allclose(activations.find_slope(torch.tanh, x), 1 - torch.tanh(x) ** 2)


def test_deviations_are_those_of_torch_init() -> None:
    layer = nn.Linear(400, 400)
    for name, init in (
        ("he", lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        ("glorot", nn.init.xavier_normal_),
    ):
        init(layer.weight)
        assert activations.find_deviation(name, 400) == pytest.approx(layer.weight.std().item(), rel=0.02)
    assert activations.find_deviation("he", 100) == pytest.approx(math.sqrt(0.02))


@pytest.mark.parametrize("name", list(MODULES))
def test_a_stack_is_that_of_linear_layers(name: str) -> None:
    found = activations.pass_through(name, 6, "he", seed=3, width=16, batch=8)
    stream = torch.Generator().manual_seed(3)
    x = torch.randn(8, 16, generator=stream)
    stack = nn.Sequential(*(module for _ in range(6) for module in (nn.Linear(16, 16, bias=False), MODULES[name])))
    for layer in stack[::2]:
        layer.weight.data = torch.randn(16, 16, generator=stream) * (2 / 16) ** 0.5
    x.requires_grad_()
    output = stack(x)
    output.sum().backward()
    assert x.grad is not None
    assert float(found.variances[-1]) == pytest.approx(output.var().item(), rel=1e-4)
    assert float(found.gradients[0]) == pytest.approx(x.grad.square().mean().sqrt().item(), rel=1e-4)
    assert float(found.gradients[-1]) == 1


def test_he_keeps_the_variance_of_relu_and_sigmoid_lets_gradients_vanish() -> None:
    kept = activations.pass_through("relu", 20, "he", width=512, batch=64)
    assert 0.1 < float(kept.variances[-1] / kept.variances[1]) < 10
    lost = activations.pass_through("sigmoid", 20, "glorot")
    assert float(lost.gradients[0] / lost.gradients[-1]) < 1e-8
    assert activations.pass_through("relu", 20, "small").variances[-1] < 1e-8


@pytest.mark.parametrize("seed", range(60))
def test_questions_have_the_right_answers(seed: int) -> None:
    value, product, deviation = ask_questions(random.Random(seed))
    x = value.text.values["x"]
    assert value.is_right(max(x, 0) if value.text.values["name"] == "ReLU" else (x if x > 0 else 0.01 * x))
    assert product.is_right(0.25 ** product.text.values["n"])
    assert deviation.options[str(deviation.answer)].text == f"{math.sqrt(2 / deviation.text.values['n']):.4g}"
