"""Equivariance: exact where it must be, broken where it must be, against torch.roll and torch.nn."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.datasets.load import load_dataset
from cnn_demo.lessons import equivariance as equi
from cnn_demo.lessons.controls import read_values
from cnn_demo.lessons.exercises.equivariance import ask_questions
from cnn_demo.lessons.experiments.equivariance import (
    CONTROLS,
    make_small_network,
    move_images,
    move_randomly,
    train_both,
)
from cnn_demo.lessons.lesson import Subject
from cnn_demo.lessons.panels import Curves
from cnn_demo.lessons.short_training import count_right, create_seeded, load_digits, train_steps
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef

KERNEL = torch.tensor([[0.0, 1, 0], [2, -4, 1], [0, 1, 3]])


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    network = load_model(ModelRef.parse("untrained:cnn"), Store(tmp_path_factory.mktemp("equivariance")))
    return Subject(image=load_dataset("mnist-mini", download=False).test.images[5], network=network)


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


def test_each_image_is_turned_and_scaled_by_its_own_amount() -> None:
    images = torch.stack([random_image(seed)[None] for seed in (2, 3, 4)])
    turned = equi.turn_or_scale_each(images, torch.tensor([0.0, 90, 180]), torch.ones(3))
    for found, image, quarters in zip(turned, images, (0, 1, 2), strict=True):
        assert torch.allclose(found[0], torch.rot90(image[0], quarters), atol=1e-4)
    scaled = equi.turn_or_scale_each(images, torch.zeros(3), torch.tensor([1.0, 0.6, 1.4]))
    for found, image, scale in zip(scaled, images, (1.0, 0.6, 1.4), strict=True):
        assert torch.allclose(found[0], equi.turn_or_scale(image[0], scale=scale), atol=1e-5)


@pytest.mark.parametrize(("move", "amount"), [("shift", 5), ("turn", 60), ("scale", 0.6)])
def test_moves_in_training_are_learnt(move: str, amount: float) -> None:
    digits = load_digits()
    moved = move_images(digits.test_images, move, torch.full((len(digits.test_images),), float(amount)))
    right = {}
    for name, change in (("plain", None), ("moved", move_randomly(move))):
        network = create_seeded(make_small_network, 1)
        run = train_steps(network, digits.images, digits.labels, rate=3e-3, seed=2, change=change)
        for _step in range(120):
            next(run)
        right[name] = count_right(network, moved, digits.test_labels)
    assert right["moved"] > right["plain"] + 50


@pytest.mark.parametrize("move", ["shift", "turn", "scale"])
def test_the_chart_shows_what_two_networks_read_of_moved_images(move: str, subject: Subject) -> None:
    values, _wrong = read_values(CONTROLS, {"move": move})
    [[chart]] = next(train_both(subject, values))
    assert isinstance(chart, Curves)
    digits = load_digits()
    network = create_seeded(make_small_network, 1)
    run = train_steps(network, digits.images, digits.labels, rate=3e-3, seed=2)
    for _step in range(20):
        next(run)
    for x, y in zip(chart.lines[0].x, chart.lines[0].y, strict=True):
        amounts = torch.full((len(digits.test_images),), float(x))
        assert y == pytest.approx(
            count_right(network, move_images(digits.test_images, move, amounts), digits.test_labels) / 500
        )


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
