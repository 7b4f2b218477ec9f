"""Pooling against PyTorch's modules, loops by hand, and finite differences."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from cnn_demo.lessons import pooling
from cnn_demo.lessons.exercises.pooling import ask_questions


@pytest.mark.parametrize("rule", ["max", "mean"])
@pytest.mark.parametrize("seed", range(6))
def test_pooling_is_what_a_loop_finds(rule: str, seed: int) -> None:
    x = torch.rand(11, 13, generator=torch.Generator().manual_seed(seed))
    size, stride = 2 + seed % 3, 1 + seed % 4
    found = pooling.pool(x, rule, size, stride)
    module = nn.MaxPool2d(size, stride) if rule == "max" else nn.AvgPool2d(size, stride)
    assert torch.allclose(found, module(x[None, None])[0, 0])
    windows = pooling.list_windows(x, size, stride)
    running = pooling.compare_gradually(windows, rule)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            patch = x[row * stride : row * stride + size, column * stride : column * stride + size]
            place = row * found.shape[1] + column
            assert torch.equal(windows[place], patch.flatten())
            assert running[place, -1] == pytest.approx(float(patch.max() if rule == "max" else patch.mean()), abs=1e-6)
            assert running[place, 0] == patch[0, 0]


def test_the_gradient_of_the_maximum_goes_to_the_winner_and_of_the_mean_to_all() -> None:
    x = torch.tensor([[1.0, 5, 2, 0], [3, 4, 7, 1], [0, 0, 9, 8], [0, 0, 6, 5]])
    assert pooling.route_gradient(x, "max", 2, 2).tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert pooling.route_gradient(x, "mean", 2, 2).unique().tolist() == [0.25]


def test_average_pooling_is_a_strided_convolution() -> None:
    x = torch.rand(12, 12, generator=torch.Generator().manual_seed(1))
    for size, stride in ((2, 2), (3, 1), (3, 2), (5, 4)):
        assert torch.allclose(
            pooling.pool_by_convolution(x, size, stride), nn.AvgPool2d(size, stride)(x[None, None])[0, 0], atol=1e-6
        )


def test_a_dot_that_stays_in_its_window_changes_nothing() -> None:
    x = torch.zeros(8, 8)
    x[2, 2] = 1
    assert pooling.measure_change(x, 1, "max", 2, 2) == 0
    assert pooling.measure_change(x, 1, "none", 2, 2) == pytest.approx(2**0.5)
    assert pooling.measure_change(x, 2, "max", 2, 2) == pytest.approx(2**0.5)
    assert pooling.measure_change(torch.zeros(8, 8), 1, "max", 2, 2) == 0


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    value, winner, size = ask_questions(random.Random(seed))
    assert value.grid is not None
    assert winner.grid is not None
    row, column = value.text.values["row"], value.text.values["column"]
    assert value.is_right(float(value.grid.values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean()))
    row, column = winner.text.values["row"], winner.text.values["column"]
    patch = winner.grid.values[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
    y, x = divmod(int(patch.argmax()), 3)
    assert winner.is_right((3 * row + y, 3 * column + x))
    values = size.text.values
    assert size.is_right(
        nn.MaxPool2d(values["size"], values["stride"])(torch.zeros(1, 1, values["side"], values["side"])).numel()
    )
