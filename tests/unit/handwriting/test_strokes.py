"""Synthetic strokes: the preparation of drawings is the oracle for where they end."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.handwriting.mnist_frame import find_bounds
from cnn_demo.handwriting.skeletons.outliers import PURPOSES
from cnn_demo.handwriting.skeletons.pen import RandomStream, line
from cnn_demo.handwriting.skeletons.styles import STYLES
from cnn_demo.handwriting.strokes import (
    PenVariation,
    draw_in_frame,
    draw_on_pad,
    synthesize,
    synthesize_outliers,
    write_digit,
)

MNIST = get_spec("mnist")


def random_stream(seed: int = 0) -> RandomStream:
    return RandomStream(np.random.default_rng(seed))


def test_equal_seeds_give_equal_pictures() -> None:
    first, again, other = synthesize(40, 7), synthesize(40, 7), synthesize(40, 8)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(synthesize(20, 7).images, first.images[:20])


def test_shape_type_and_classes() -> None:
    split = synthesize(56, 0)
    assert split.images.shape == (56, 1, 28, 28)
    assert split.images.dtype == torch.uint8
    assert torch.bincount(split.labels).tolist() == [4, 12, 4, 4, 8, 4, 4, 8, 4, 4]
    assert torch.bincount(synthesize(30, 0, held_out=True).labels).tolist() == [3] * 10
    assert (split.images.amax(dim=(1, 2, 3)) >= 254).all()


def test_they_obey_the_rule_of_mnist() -> None:
    for image in synthesize(60, 1).images[:, 0].numpy().astype(np.float64):
        rows, columns = np.nonzero(image)
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        assert abs(np.average(rows, weights=image[rows, columns]) - 14) <= 0.55
        assert abs(np.average(columns, weights=image[rows, columns]) - 14) <= 0.55


def test_the_short_way_gives_what_a_pad_gives() -> None:
    stream = random_stream(2)
    likeness = []
    for style in STYLES:
        paths, pen, fill = write_digit(style, PenVariation(), stream), stream.u(10, 24), stream.u(0.45, 0.9)
        pad = prepare(draw_on_pad(paths, pen, fill, stream), MNIST).stages[-1].image
        short = draw_in_frame(paths, pen, fill)
        # Rounding may move a picture by one pixel, or make it one pixel wider or narrower.
        shifted = [np.roll(short, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        norm = np.sqrt((short**2).sum() * (pad**2).sum())
        likeness.append(max(float((s * pad).sum() / norm) for s in shifted))
    assert np.median(likeness) > 0.985
    assert min(likeness) > 0.9


@pytest.mark.parametrize("pen", [10, 24])
def test_the_pen_is_as_wide_as_asked(pen: int) -> None:
    bar = prepare(draw_on_pad([line((0, 0), (1, 0.0001))], pen, 0.7, random_stream()), MNIST).stage("crop").image
    assert bar.shape[0] == pytest.approx(pen, abs=1.5)
    assert bar.shape[1] == pytest.approx(0.7 * 280 + pen, abs=2)


def test_drawings_stay_on_the_pad_and_move_about() -> None:
    stream = random_stream(4)
    corners = []
    for _ in range(30):
        pad = draw_on_pad(write_digit(STYLES[0], PenVariation(), stream), 24, 0.5, stream)
        top, left, bottom, right = find_bounds((pad / 255).astype(np.float32), 0.1)
        assert max(bottom - top, right - left) == pytest.approx(0.5 * 280 + 24, abs=3)
        corners.append((top, left))
    assert (np.ptp(corners, axis=0) > 60).all()


def test_resampled_paths_have_as_many_points_as_asked() -> None:
    variation = PenVariation(points=(8, 8), resampled=1, smoothed=0, ticked=0, dragged=0)
    for seed in range(20):
        assert 7 <= sum(map(len, write_digit(STYLES[0], variation, random_stream(seed)))) <= 9
    # As often as asked a drawing has few points, though the range goes far beyond.
    variation = PenVariation(points=(8, 600), few=0.3, resampled=1, smoothed=0, ticked=0, dragged=0)
    counts = [sum(map(len, write_digit(STYLES[0], variation, random_stream(seed)))) for seed in range(300)]
    assert np.mean([count <= 13 for count in counts]) == pytest.approx(
        0.3 + 0.7 * np.log(13 / 8) / np.log(601 / 8), abs=0.08
    )


def test_smoothed_paths_go_through_the_same_points() -> None:
    straight = PenVariation(points=(9, 9), resampled=1, smoothed=0, ticked=0, dragged=0)
    smooth = dataclasses.replace(straight, smoothed=1)
    for seed in range(10):
        plain, curved = (write_digit(STYLES[0], variation, random_stream(seed)) for variation in (straight, smooth))
        for a, b in zip(plain, curved, strict=True):
            assert len(b) > 3 * len(a)
            assert all(np.abs(b - point).sum(axis=1).min() < 1e-9 for point in a)


def test_few_points_are_often_one_stroke() -> None:
    variation = PenVariation(points=(8, 12), few=0, resampled=1, ticked=0, dragged=0)
    crossed = next(style for style in STYLES if style.draw.__name__ == "_seven_crossed")
    strokes = [len(write_digit(crossed, variation, random_stream(seed))) for seed in range(200)]
    assert set(strokes) == {1, 2}
    assert strokes.count(1) / 200 == pytest.approx(variation.joined, abs=0.12)
    many = PenVariation(points=(13, 60), few=0, resampled=1, ticked=0, dragged=0)
    assert {len(write_digit(crossed, many, random_stream(seed))) for seed in range(50)} == {2}


def test_outliers_of_no_two_purposes_are_alike() -> None:
    found = {purpose: synthesize_outliers(60, 0, purpose) for purpose in PURPOSES}
    assert torch.equal(found["training"], synthesize_outliers(60, 0, "training"))
    rows = [bytes(image.numpy()) for images in found.values() for image in images]
    assert len(rows) == len(set(rows)) == 3 * 60
    assert {(images.shape, images.dtype) for images in found.values()} == {((60, 1, 28, 28), torch.uint8)}
