"""Equivariance: exact where it must be, broken where it must be, against torch.roll and torch.nn."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.lessons import equivariance as equi
from cnn_demo.lessons.exercises.equivariance import ask_questions
from cnn_demo.lessons.experiments.equivariance import make_small_network, shift_randomly
from cnn_demo.lessons.short_training import count_right, create_seeded, load_digits, train_steps

KERNEL = torch.tensor([[0.0, 1, 0], [2, -4, 1], [0, 1, 3]])


def random_image(seed: int) -> torch.Tensor:
    return torch.rand(28, 28, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(10))
def test_on_a_ring_a_convolution_is_equivariant_and_circular_padding_is_that_of_torch(seed: int) -> None:
    image, stream = random_image(seed), random.Random(seed)
    down, right = stream.randint(-8, 8), stream.randint(-8, 8)
    module = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False)
    module.weight.data = KERNEL[None, None]
    expected = module(image.roll((down, right), (0, 1))[None, None])[0, 0].detach()
    assert torch.allclose(
        equi.filter_image(equi.translate(image, down, right, True), KERNEL, 1, True), expected, atol=1e-5
    )
    assert torch.allclose(
        equi.translate(equi.filter_image(image, KERNEL, 1, True), down, right, True), expected, atol=1e-5
    )


def test_a_translation_brings_zeros_in() -> None:
    image = torch.arange(1.0, 10).view(3, 3)
    assert equi.translate(image, 1, 0).tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert equi.translate(image, 0, -1).tolist() == [[2, 3, 0], [5, 6, 0], [8, 9, 0]]
    assert equi.translate(image, 5, 0).abs().sum() == 0
    assert equi.translate(image, 1, 1, around=True)[0, 0] == 9


@pytest.mark.parametrize("shift", [1, 2, 3, 4])
def test_a_stride_of_two_keeps_even_shifts_only(shift: int) -> None:
    image = random_image(1)
    moved = equi.filter_image(equi.translate(image, 0, shift, True), KERNEL, 2, True)
    after = equi.translate(equi.filter_image(image, KERNEL, 2, True), 0, shift // 2, True)
    assert torch.allclose(moved, after, atol=1e-5) == (shift % 2 == 0)
    assert torch.equal(
        equi.filter_image(image, KERNEL, 2), F.conv2d(image[None, None], KERNEL[None, None], stride=2, padding=1)[0, 0]
    )
    assert torch.equal(equi.pool_image(image), F.max_pool2d(image[None, None], 2)[0, 0])


def test_a_quarter_turn_is_that_of_torch() -> None:
    image = random_image(2)
    assert torch.allclose(equi.turn_or_scale(image, angle=90), torch.rot90(image), atol=1e-4)


def test_shifts_in_training_are_learnt() -> None:
    digits = load_digits()
    background = digits.images.min()
    moved = equi.translate(digits.test_images - background, 0, 5) + background
    right = {}
    for name, change in (("plain", None), ("shifted", shift_randomly)):
        network = create_seeded(make_small_network, 1)
        run = train_steps(network, digits.images, digits.labels, rate=3e-3, seed=2, change=change)
        for _step in range(80):
            next(run)
        right[name] = count_right(network, moved, digits.test_labels)
    assert right["shifted"] > right["plain"] + 50


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    cell, step, operation = ask_questions(random.Random(seed))
    grid = torch.from_numpy(cell.grid.values)  # type: ignore[union-attr]
    center = (grid * torch.arange(9.0)[:, None]).sum() / grid.sum(), (grid * torch.arange(9.0)).sum() / grid.sum()
    expected = tuple(
        round(float(c)) + cell.text.values[name] for c, name in zip(center, ("down", "right"), strict=True)
    )
    assert cell.is_right(expected)
    assert step.is_right(step.text.values["a"] * step.text.values["b"])
    assert operation.is_right(
        "no"
        if operation.text.values["what"].text.startswith(("a max", "a linear", "a convolution with any"))
        else "yes"
    )
