"""Elastic fields against ``interpolate``, resampling against NumPy; the maps are tested where they are used."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from cnn_demo.training.warp import make_affine_maps, make_elastic_field, resample


def maps(*, angle: float = 0, across: float = 1, x: float = 0, y: float = 0) -> torch.Tensor:
    one = torch.ones(1)
    return make_affine_maps(one * angle, one * 0, one * across, one, torch.tensor([[x, y]]))


def test_the_field_is_what_bicubic_interpolation_gives() -> None:
    knots = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    field = make_elastic_field(knots, 0.5, 28, 20)
    wanted = functional.interpolate(knots, size=(28, 20), mode="bicubic", align_corners=True) * 0.5  # pixels
    torch.testing.assert_close(field[..., 0] * 10, wanted[:, 0], atol=1e-6, rtol=0)
    torch.testing.assert_close(field[..., 1] * 14, wanted[:, 1], atol=1e-6, rtol=0)


def test_a_quarter_turn_a_mirror_and_a_shift_are_exact() -> None:
    image = torch.arange(1.0, 17).view(1, 1, 4, 4)
    pixels = image[0, 0].numpy()
    turned = resample(image, maps(angle=math.pi / 2), None)[0, 0]
    # The output at (x, y) comes from (-y, x): x is right and y is down, so the picture turns to the left on the screen.
    np.testing.assert_allclose(turned, np.rot90(pixels), atol=1e-4)
    np.testing.assert_allclose(resample(image, maps(across=-1), None)[0, 0], np.fliplr(pixels), atol=1e-4)
    moved = resample(image, maps(x=2 / 4), None)[0, 0]  # one pixel of four
    np.testing.assert_allclose(moved, np.pad(pixels[:, 1:], ((0, 0), (0, 1))), atol=1e-4)


def test_what_lies_outside_is_black_or_reflected() -> None:
    image = torch.arange(1.0, 17).view(1, 1, 4, 4)
    reflected = resample(image, maps(y=2 / 4), None, "reflection")[0, 0]
    np.testing.assert_allclose(reflected[-1], image[0, 0, -1], atol=1e-4)
    assert (resample(image, maps(y=2 / 4), None)[0, 0, -1] == 0).all()


def test_a_field_of_one_value_is_a_shift() -> None:
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    field = make_elastic_field(torch.ones(2, 2, 6, 6), 1.0, 8, 8)  # one pixel to the right and down
    shifted = resample(image, maps().expand(2, 2, 3), field)
    torch.testing.assert_close(shifted[:, :, :-1, :-1], image[:, :, 1:, 1:], atol=1e-5, rtol=0)
