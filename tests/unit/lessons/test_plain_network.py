"""Why not a plain network: costs against the modules themselves; what shuffling does."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn

from cnn_demo.lessons import plain_network as plain
from cnn_demo.lessons.exercises.plain_network import ask_questions
from cnn_demo.lessons.short_training import count_right, create_seeded, load_digits, train_steps


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("h", "w", "c", "u", "k", "o"), [(28, 28, 1, 128, 3, 32), (8, 12, 3, 16, 5, 8)])
def test_costs_are_those_of_the_modules(h: int, w: int, c: int, u: int, k: int, o: int) -> None:
    linear, convolution = plain.count_linear(h, w, c, u), plain.count_convolution(h, w, c, k, o)
    assert linear.parameters == count(nn.Linear(h * w * c, u))
    module = nn.Conv2d(c, o, k, padding=k // 2)
    assert convolution.parameters == count(module)
    places = module(torch.zeros(1, c, h, w)).shape[-2:].numel()
    assert convolution.multiply_adds == module.weight.numel() * places
    assert linear.nbytes == 4 * linear.parameters


def test_both_networks_are_as_large_as_the_lesson_says() -> None:
    assert count(plain.make_plain()) == 11_140
    assert count(plain.make_convolutional()) == 11_386


def test_shuffled_pixels_are_the_same_pixels() -> None:
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    order = plain.draw_permutation(784, 7)
    shuffled = plain.shuffle_pixels(images, order)
    assert not torch.equal(shuffled, images)
    assert torch.equal(shuffled.flatten(1).sort(1).values, images.flatten(1).sort(1).values)
    assert torch.equal(shuffled[2, 0].flatten()[5], images[2, 0].flatten()[order[5]])


def test_only_the_convolution_loses_by_shuffling() -> None:
    digits, order = load_digits(), plain.draw_permutation(784, 7)
    right: dict[tuple[str, bool], int] = {}
    for name, make in (("plain", plain.make_plain), ("convolution", plain.make_convolutional)):
        for shuffled in (False, True):
            images, test = (
                plain.shuffle_pixels(x, order) if shuffled else x for x in (digits.images, digits.test_images)
            )
            network = create_seeded(make, 3)
            run = train_steps(network, images, digits.labels, rate=2e-3, seed=4)
            for _step in range(200):
                next(run)
            right[name, shuffled] = count_right(network, test, digits.test_labels)
    assert right["convolution", False] > right["convolution", True] + 25
    assert abs(right["plain", False] - right["plain", True]) < 25


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    linear, convolution, growth = ask_questions(random.Random(seed))
    v: Any = linear.text.values
    assert linear.is_right(v["side"] ** 2 * v["c"] * v["u"] + v["u"])
    v = convolution.text.values
    assert convolution.is_right(count(nn.Conv2d(3, v["outputs"], v["kernel"])))
    v = growth.text.values
    assert growth.is_right(1 if v["what"].text == "the weights of a convolution" else v["n"] ** 2)
