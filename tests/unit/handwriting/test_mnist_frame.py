"""MNIST's frame: MNIST's own digits and plain arithmetic as oracles."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_demo.datasets.load import load_dataset
from cnn_demo.handwriting.mnist_frame import center_in_field, find_bounds, find_center_of_mass, fit_box


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist-mini").test.images[:200, 0].numpy().astype(np.float32) / 255


def test_bounds_are_exclusive_at_the_end() -> None:
    ink = np.zeros((9, 9), np.float32)
    ink[2, 3], ink[5, 7], ink[8, 8] = 1, 0.5, 0.1
    assert find_bounds(ink, 0.1) == (2, 3, 6, 8)
    assert find_bounds(ink, 0) == (2, 3, 9, 9)


def test_a_center_of_mass_by_hand() -> None:
    ink = np.zeros((5, 5), np.float32)
    ink[1, 1], ink[3, 4] = 1, 3
    assert find_center_of_mass(ink) == (pytest.approx(2.5), pytest.approx(3.25))


def test_mnist_digits_are_put_where_they_were(digits: np.ndarray) -> None:
    for digit in digits:
        top, left, bottom, right = find_bounds(digit, 0)
        crop = digit[top:bottom, left:right]
        assert fit_box(crop) is crop  # already in its box
        np.testing.assert_array_equal(center_in_field(crop), digit)


@pytest.mark.parametrize("shape", [(100, 40), (7, 30), (1, 50), (3, 3)])
def test_the_longer_side_becomes_twenty_pixels(shape: tuple[int, int]) -> None:
    small = fit_box(np.full(shape, 0.7, np.float32))
    assert max(small.shape) == 20
    assert small.shape == tuple(max(1, round(side * 20 / max(shape))) for side in shape)
    np.testing.assert_allclose(small, 1, atol=1e-5)  # the strongest ink is 1 again


def test_a_digit_at_the_edge_of_the_field_stays_inside() -> None:
    lopsided = np.zeros((20, 20), np.float32)
    lopsided[0, 0], lopsided[19, 19] = 1, 0.001
    field = center_in_field(lopsided)
    assert field.shape == (28, 28)
    assert field[8, 8] == 1  # the center of mass belongs on (14, 14), but then the last row would be cut off
