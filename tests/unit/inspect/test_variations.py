"""Variations of a digit against plain array operations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.inspect.motion import Motion, move_image
from cnn_demo.inspect.variations import ANGLES, Variation, varied_inputs, vary

SPEC = get_spec("mnist-mini")


@pytest.fixture(scope="module")
def digit() -> torch.Tensor:
    return load_dataset("mnist-mini").test.images[1234].float() / 255  # (1, 28, 28)


def test_quarter_turns_and_whole_shifts_are_exact(digit: torch.Tensor) -> None:
    still, quarter, half, shifted = vary(
        digit, [Variation(), Variation(angle=90), Variation(angle=180), Variation(right=2, down=-3)]
    )
    assert torch.equal(still, digit)
    assert torch.allclose(quarter, torch.rot90(digit, 1, (1, 2)), atol=1e-4)  # counter-clockwise
    assert torch.allclose(half, torch.rot90(digit, 2, (1, 2)), atol=1e-4)
    expected = torch.zeros_like(digit)
    expected[:, :25, 2:] = digit[:, 3:, :26]
    assert torch.allclose(shifted, expected, atol=1e-4)


def test_it_moves_as_the_feature_maps_page_does(digit: torch.Tensor) -> None:
    ours = vary(digit, [Variation(angle=25, right=1.5, down=-2, scale=1.3)])[0]
    theirs = move_image((digit * 255).to(torch.uint8), Motion(angle=25, right=1.5, down=-2, scale=1.3)).float() / 255
    assert (ours - theirs).abs().max() <= 1 / 255


def test_thickness_is_dilation_and_erosion(digit: torch.Tensor) -> None:
    def filtered(picture: np.ndarray, function: Callable[..., np.ndarray]) -> np.ndarray:
        padded = np.pad(picture, 1, constant_values=0 if function is np.max else 9)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
        return function(windows, axis=(2, 3))

    plain = digit[0].numpy()
    one, two, half, thin = vary(digit, [Variation(thickness=t) for t in (1, 2, 0.5, -1)])
    assert np.allclose(one[0], filtered(plain, np.max))
    assert np.allclose(two[0], filtered(filtered(plain, np.max), np.max))
    assert np.allclose(half[0], (plain + filtered(plain, np.max)) / 2, atol=1e-6)
    assert np.allclose(thin[0], filtered(plain, np.min), atol=1e-6)


def test_a_scale_of_nothing_is_refused(digit: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="scale"):
        vary(digit, [Variation(scale=0)])


def test_one_batch_holds_what_single_variations_give(digit: torch.Tensor) -> None:
    drawing = prepare((digit[0] * 255).to(torch.uint8).numpy(), SPEC)
    turns = [Variation(angle=angle) for angle in ANGLES]
    batch = varied_inputs(drawing, SPEC, turns)
    assert batch.shape == (len(ANGLES), 1, 28, 28)
    assert torch.equal(batch[ANGLES.index(0)], drawing.input[0])
    for angle in (-180, -35, 90):
        picture = vary(torch.from_numpy(drawing.stages[-1].image)[None], [Variation(angle=angle)])
        single = (picture.clamp(0, 1) - SPEC.mean[0]) / SPEC.std[0]
        assert torch.allclose(batch[ANGLES.index(angle)], single[0], atol=1e-5)
