"""An image moved: exact for whole pixels and quarter turns; noise repeats by seed."""

from __future__ import annotations

import pytest
import torch

from cnn_demo.inspect.motion import Motion, move_image


def test_moves_are_exact_for_whole_steps() -> None:
    image = torch.randint(0, 256, (1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    moved = move_image(image, Motion(right=3, down=-2)).int()
    assert (moved[:, :-2, 3:] - image[:, 2:, :-3].int()).abs().max() <= 1
    assert not moved[:, -2:].any()
    assert not moved[:, :, :3].any()
    assert (move_image(image, Motion(angle=90)).int() - image.rot90(1, (1, 2)).int()).abs().max() <= 1
    assert move_image(image, Motion()) is image
    block = torch.zeros(1, 28, 28, dtype=torch.uint8)
    block[:, 10:18, 10:18] = 255
    assert int((move_image(block, Motion(scale=2)) > 127).sum()) == 16 * 16
    wide = torch.zeros(1, 10, 20, dtype=torch.uint8)
    wide[:, 4:6, 2:18] = 255
    turned = move_image(wide, Motion(angle=90))
    assert (turned[0] > 127).nonzero().tolist() == [[y, x] for y in range(10) for x in (9, 10)]


def test_noise_repeats_by_seed() -> None:
    image = torch.full((1, 64, 64), 128, dtype=torch.uint8)
    first = move_image(image, Motion(noise=0.1, seed=1)).float()
    assert torch.equal(first, move_image(image, Motion(noise=0.1, seed=1)).float())
    assert not torch.equal(first, move_image(image, Motion(noise=0.1, seed=2)).float())
    assert float(first.std()) == pytest.approx(25.5, rel=0.1)
    with pytest.raises(ValueError, match="scale = 0"):
        move_image(image, Motion(scale=0))
