"""The arithmetic of attention and of tokens against PyTorch."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_demo.inspect.steps import AddStep, CopyStep, LinearStep, NormStep
from cnn_demo.inspect.token_arithmetic import AttentionStep, DotStep
from cnn_demo.inspect.trace import trace
from cnn_demo.models.vit_hybrid import VitHybrid


@pytest.fixture
def case() -> tuple[VitHybrid, Tensor, Tensor]:
    """A network away from its starting values, an image, and the tokens ``(1, 50, 64)`` before its first block."""
    torch.manual_seed(0)
    model = VitHybrid().double().eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.2)
    image = torch.randn(1, 1, 28, 28, dtype=torch.float64)
    patches = model.conv2(torch.relu(model.bn1(model.conv1(image)))).flatten(2).transpose(1, 2)
    return model, image, torch.cat([torch.zeros(1, 1, 64, dtype=torch.float64), patches], 1) + model.positions


def test_layer_norm_of_a_token(case: tuple[VitHybrid, Tensor, Tensor]) -> None:
    model, image, tokens = case
    add, norm = trace(model, image, "blocks.0.norm1", 30, 7).steps
    assert isinstance(add, AddStep)
    assert isinstance(norm, NormStep)
    assert add.value == pytest.approx(float(tokens[0, 30, 7]), abs=1e-12)
    assert norm.mean == pytest.approx(float(tokens[0, 30].mean()), abs=1e-12)
    assert norm.variance == pytest.approx(float(tokens[0, 30].var(correction=0)), abs=1e-12)
    weight, bias = model.get_parameter("blocks.0.norm1.weight"), model.get_parameter("blocks.0.norm1.bias")
    wanted = F.layer_norm(tokens, (64,), weight, bias)[0, 30, 7]
    assert norm.value == pytest.approx(float(wanted), abs=1e-12)
    assert (norm.weight, norm.bias) == (float(weight[7]), float(bias[7]))


def test_score_weight_and_weighted_sum(case: tuple[VitHybrid, Tensor, Tensor]) -> None:
    model, image, tokens = case
    w = dict(model.named_parameters())
    x = F.layer_norm(tokens, (64,), w["blocks.0.norm1.weight"], w["blocks.0.norm1.bias"])
    q, k, v = (
        F.linear(x, w[f"blocks.0.attention.{part}.weight"], w[f"blocks.0.attention.{part}.bias"])
        .reshape(1, 50, 4, 16)
        .transpose(1, 2)
        for part in ("query", "key", "value")
    )
    scores = q @ k.mT
    dot = trace(model, image, "blocks.0.attention.matmul", 2, 20, 33, top=5).step
    assert isinstance(dot, DotStep)
    assert dot.value == pytest.approx(float(scores[0, 2, 20, 33]), abs=1e-12)
    assert dot.places == ()  # it goes over the sixteen numbers of a head
    assert (len(dot.index), dot.count) == (5, 11)
    assert dot.lefts.tolist() == pytest.approx(q[0, 2, 20, list(dot.index)].tolist())
    assert dot.rights.tolist() == pytest.approx(k[0, 2, 33, list(dot.index)].tolist())

    weights = torch.softmax(scores / 4, -1)
    weight = trace(model, image, "blocks.0.attention.weights", 2, 20, 33, top=6).step
    assert isinstance(weight, AttentionStep)
    assert weight.value == pytest.approx(float(weights[0, 2, 20, 33]), abs=1e-12)
    assert weight.chosen == 33
    assert 33 in weight.index
    assert weight.weights.tolist() == pytest.approx(weights[0, 2, 20, list(weight.index)].tolist())
    assert weight.places[weight.index.index(33)] == (4, 4)  # behind the class token: 32 = 4 · 7 + 4

    mixed = F.scaled_dot_product_attention(q, k, v)
    total = trace(model, image, "blocks.0.attention.matmul:2", 3, 0, 9).step  # of the class token
    assert isinstance(total, DotStep)
    assert total.value == pytest.approx(float(mixed[0, 3, 0, 9]), abs=1e-12)
    assert total.lefts.tolist() == pytest.approx(torch.softmax(scores / 4, -1)[0, 3, 0, list(total.index)].tolist())
    assert total.rights.tolist() == pytest.approx(v[0, 3, list(total.index), 9].tolist())
    assert total.products.sum() + total.others == pytest.approx(total.value)
    assert [7 * place[0] + place[1] + 1 if place else 0 for place in total.places] == list(total.index)
    json.dumps(trace(model, image, "blocks.0.attention.weights", 0, 0, 0).plain(), allow_nan=False)


def test_a_linear_layer_reads_one_token(case: tuple[VitHybrid, Tensor, Tensor]) -> None:
    model, image, tokens = case
    w = dict(model.named_parameters())
    x = F.layer_norm(tokens, (64,), w["blocks.0.norm1.weight"], w["blocks.0.norm1.bias"])
    step = trace(model, image, "blocks.0.attention.key", 11, 40).step
    assert isinstance(step, LinearStep)
    wanted = F.linear(x, w["blocks.0.attention.key.weight"], w["blocks.0.attention.key.bias"])
    assert step.value == pytest.approx(float(wanted[0, 11, 40]), abs=1e-12)
    assert step.inputs.tolist() == pytest.approx(x[0, 11, list(step.index)].tolist())


def test_padding_copies_or_is_a_constant(case: tuple[VitHybrid, Tensor, Tensor]) -> None:
    model, image, _tokens = case
    inside, outside = trace(model, image, "pad", 4, 9).step, trace(model, image, "pad", 0, 9).step
    assert isinstance(inside, CopyStep)
    assert (inside.source, inside.unit) == ("transpose", (3, 9))
    assert isinstance(outside, AddStep)
    assert outside.terms == (("", 0.0),)
