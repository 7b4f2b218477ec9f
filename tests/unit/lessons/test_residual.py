"""Residual connections: the blocks written out with functional calls; gradients against backward()."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.lessons import residual
from cnn_demo.lessons.exercises.residual import ask_questions
from cnn_demo.lessons.short_training import create_seeded, load_digits, train_steps


@pytest.mark.parametrize("skip", [True, False])
def test_a_block_is_f_plus_x(skip: bool) -> None:
    block = create_seeded(lambda: residual.Block(8, skip), 1)
    assert isinstance(block, residual.Block)
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(2))
    f = F.linear(F.relu(F.linear(x, block.first.weight, block.first.bias)), block.second.weight, block.second.bias)
    assert torch.allclose(block(x), f + x if skip else f, atol=1e-6)


def test_a_transformer_block_with_skips_is_the_pre_norm_layer_of_torch() -> None:
    mine = create_seeded(lambda: residual.TokenBlock(16, True), 3)
    assert isinstance(mine, residual.TokenBlock)
    theirs = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True, norm_first=True)
    theirs.self_attn.load_state_dict(mine.attention.state_dict())
    theirs.linear1.load_state_dict(mine.first.state_dict())
    theirs.linear2.load_state_dict(mine.second.state_dict())
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(mine(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize("skip", [True, False])
def test_gradients_are_those_of_backward(skip: bool) -> None:
    stack = create_seeded(lambda: nn.Sequential(*(residual.Block(8, skip) for _ in range(5))), 5)
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(6))
    found = residual.measure_gradients(list(stack.children()), x)
    leaf = x.clone().requires_grad_()
    stack(leaf).sum().backward()
    assert leaf.grad is not None
    assert float(found.norms[0]) == pytest.approx(leaf.grad.square().mean().sqrt().item(), rel=1e-5)
    assert float(found.norms[-1]) == 1
    first = next(iter(stack.children()))
    assert torch.allclose(found.y, first(x).flatten()[:6])
    assert torch.allclose(found.f + (found.x if skip else 0), found.y, atol=1e-6)


def test_without_skips_a_deep_network_does_not_learn() -> None:
    digits, last = load_digits(), {}
    for skip in (True, False):
        network = create_seeded(lambda: residual.make_deep_network(20, skip), 10)  # noqa: B023 (called at once)
        run = train_steps(network, digits.images, digits.labels, rate=1e-3, seed=11)
        losses = [next(run) for _ in range(100)]
        last[skip] = sum(losses[-10:]) / 10
    assert last[True] < 1
    assert last[False] > 2


@pytest.mark.parametrize("seed", range(60))
def test_questions_have_the_right_answers(seed: int) -> None:
    gradient, depth, shape = ask_questions(random.Random(seed))
    v: Any = gradient.text.values
    assert gradient.is_right(v["g"] * (v["w"] + 1))
    assert depth.is_right(0.1 ** depth.text.values["n"])
    v = shape.text.values
    same = nn.Conv2d(64, v["n"], 3, v["s"], 1)(torch.zeros(1, 64, 8, 8)).shape == (1, 64, 8, 8)
    assert shape.answer == ("yes" if same else "no")
