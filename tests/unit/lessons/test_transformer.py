"""Patches and attention against torch.nn.functional; what a unit sees against the formula."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.lessons import transformer
from cnn_demo.lessons.exercises.transformer import ask_questions
from cnn_demo.lessons.experiments.transformer import find_caption
from cnn_demo.models.captions import write_captions


@pytest.mark.parametrize("patch", [2, 4, 7, 14])
def test_a_strided_convolution_is_a_linear_layer_on_patches(patch: int) -> None:
    image = torch.rand(28, 28, generator=torch.Generator().manual_seed(patch))
    weight, bias = transformer.draw_embedding(patch, 8)
    linear = nn.Linear(patch * patch, 8)
    linear.weight.data, linear.bias.data = weight.flatten(1), bias
    across = 28 // patch
    for token in range(across**2):
        row, column = divmod(token, across)
        cut = image[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
        expected = linear(cut.flatten())
        for found in (transformer.embed_by_convolution, transformer.embed_by_linear):
            assert torch.allclose(found(image, weight, bias)[token], expected, atol=1e-5)


def test_attention_is_that_of_torch() -> None:
    q, k, v = torch.randn(3, 6, 16, generator=torch.Generator().manual_seed(1))
    weights, mixed = transformer.attend(q, k, v)
    assert torch.allclose(mixed, F.scaled_dot_product_attention(q, k, v), atol=1e-5)
    assert torch.allclose(weights.sum(1), torch.ones(6))


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (4, 3), (3, 5), (14, 3)])
def test_a_unit_sees_as_far_as_the_formula_says(layers: int, kernel: int) -> None:
    across = 1 + layers * (kernel - 1)
    seen = transformer.find_seen(41, layers, kernel)
    assert seen.sum() == across**2
    assert seen.sum(1).max() == across
    assert transformer.find_seen(28, 14).sum() == 28 * 28
    assert transformer.find_seen(28, 13).sum() < 28 * 28


def test_captions_come_in_both_languages() -> None:
    for language in ("en", "zh"):
        caption = find_caption("3", language)
        assert caption in write_captions("3")
        assert any("\u4e00" <= sign <= "\u9fff" for sign in caption) == (language == "zh")


@pytest.mark.parametrize("seed", range(60))
def test_questions_have_the_right_answers(seed: int) -> None:
    tokens, weight, field = ask_questions(random.Random(seed))
    assert tokens.is_right((tokens.text.values["side"] // tokens.text.values["p"]) ** 2 + 1)
    a, b = weight.text.values["a"], weight.text.values["b"]
    assert weight.is_right(round(math.exp(a) / (math.exp(a) + math.exp(b)), 2))
    assert field.is_right(1 + field.text.values["n"] * (field.text.values["k"] - 1))
