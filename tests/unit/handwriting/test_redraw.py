"""Thinning and redrawing: topology and geometry as oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from cnn_demo.datasets.load import load_dataset
from cnn_demo.handwriting.redraw import find_middle_lines, redraw_with_pen, thin_masks


def pieces(mask: np.ndarray, diagonal: bool) -> int:
    """Connected components by flood fill."""
    todo = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    around = [(0, 1), (0, -1), (1, 0), (-1, 0)] + ([(1, 1), (1, -1), (-1, 1), (-1, -1)] if diagonal else [])
    count = 0
    while todo:
        count += 1
        stack = [todo.pop()]
        while stack:
            y, x = stack.pop()
            for dy, dx in around:
                if (y + dy, x + dx) in todo:
                    todo.remove((y + dy, x + dx))
                    stack.append((y + dy, x + dx))
    return count


def widest(mask: np.ndarray) -> int:
    """The largest number of pixels in any two by two window."""
    return int(functional.avg_pool2d(torch.from_numpy(mask).float()[None, None], 2, 1).max() * 4)


@pytest.fixture(scope="module")
def masks() -> torch.Tensor:
    images = load_dataset("mnist-mini").test.images[:60]
    large = functional.interpolate(images.float(), scale_factor=3, mode="bicubic")[:, 0]
    return (large > 127).to(torch.uint8)


def test_thin_lines_have_the_topology_of_the_ink(masks: torch.Tensor) -> None:
    for before, after in zip(masks.numpy(), thin_masks(masks).numpy(), strict=True):
        assert ((after == 1) <= (before == 1)).all()
        assert pieces(after, True) == pieces(before, True)
        assert pieces(np.pad(after, 1) == 0, False) == pieces(np.pad(before, 1) == 0, False)
        assert after.sum() < 0.45 * before.sum()
        assert widest(after) <= 3


@pytest.mark.parametrize("width", [3, 5, 9])
def test_a_bar_becomes_its_middle(width: int) -> None:
    mask = torch.zeros(1, 30, 60, dtype=torch.uint8)
    mask[0, 10 : 10 + width, 8:50] = 1
    rows = np.nonzero(thin_masks(mask)[0].numpy())[0]
    assert abs(np.median(rows) - (10 + (width - 1) / 2)) <= 0.5
    assert len(rows) > 42 - width - 2


def test_slanting_lines_of_two_pixels_survive() -> None:
    y, x = np.mgrid[:40, :40]
    mask = torch.from_numpy((np.abs(y - x) <= 1).astype(np.uint8))[None]
    assert thin_masks(mask).sum() >= 36


def test_middle_lines_run_inside_the_ink() -> None:
    images = load_dataset("mnist-mini").test.images[:20]
    for image, points in zip(images, find_middle_lines(images), strict=True):
        x, y = (points / 3).astype(int).T
        assert image[0, y, x].float().mean() > 150


def test_redrawing_keeps_digits_and_labels() -> None:
    split = load_dataset("mnist-mini").test
    first = redraw_with_pen(split, 40, 1)
    assert len(first) == 40
    assert first.images.shape == (40, 1, 28, 28)
    assert first.images.dtype == torch.uint8
    again = redraw_with_pen(split, 40, 1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.images, redraw_with_pen(split, 40, 2).images)

    # The written digit is the nearest to its own original among digits of another label, by blurred likeness.
    def blurred(images: torch.Tensor) -> torch.Tensor:
        flat = functional.avg_pool2d(images.float(), 5, 2, 2).flatten(1)
        return functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)

    likeness = blurred(first.images) @ blurred(split.images).T
    nearest = split.labels[likeness.argmax(1)]
    assert (nearest == first.labels).float().mean() > 0.9
