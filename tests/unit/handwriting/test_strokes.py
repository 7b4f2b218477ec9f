"""Synthetic strokes: the preparation of drawings is the oracle for where they end."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.handwriting import ink as inks
from cnn_demo.handwriting.skeletons import SHAPES, RandomStream
from cnn_demo.handwriting.skeletons.outliers import PURPOSES, TABLES
from cnn_demo.handwriting.skeletons.pen import arc, curve, line
from cnn_demo.handwriting.strokes import (
    HELD_OUT_HAND,
    PenVariation,
    choose_shape,
    draw,
    on_pad,
    styles,
    synthesize,
    synthesize_outliers,
    to_field,
    write,
)

MNIST = get_spec("mnist")
STEADY = PenVariation(slant=(0, 0), turn=0, width=0, bend=0, shake=0, lift=0, few=0, resampled=0, dragged=0, ticked=0)


def dice(seed: int = 0) -> RandomStream:
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
    d = dice(2)
    likeness = []
    for shape in SHAPES:
        paths, pen, fill = write(shape, PenVariation(), d), d.u(10, 24), d.u(0.45, 0.9)
        pad = prepare(on_pad(paths, pen, fill, d), MNIST).stages[-1].image
        short = to_field(paths, pen, fill)
        # Rounding may move a picture by one pixel, or make it one pixel wider or narrower.
        shifted = [np.roll(short, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        norm = np.sqrt((short**2).sum() * (pad**2).sum())
        likeness.append(max(float((s * pad).sum() / norm) for s in shifted))
    assert np.median(likeness) > 0.985
    assert min(likeness) > 0.9


@pytest.mark.parametrize("pen", [10, 24])
def test_the_pen_is_as_wide_as_asked(pen: int) -> None:
    bar = prepare(on_pad([line((0, 0), (1, 0.0001))], pen, 0.7, dice()), MNIST).stage("crop").image
    assert bar.shape[0] == pytest.approx(pen, abs=1.5)
    assert bar.shape[1] == pytest.approx(0.7 * 280 + pen, abs=2)


def test_drawings_stay_on_the_pad_and_move_about() -> None:
    d = dice(4)
    corners = []
    for _ in range(30):
        pad = on_pad(write(SHAPES[0], PenVariation(), d), 24, 0.5, d)
        top, left, bottom, right = inks.bounds(pad / np.float32(255), 0.1)
        assert max(bottom - top, right - left) == pytest.approx(0.5 * 280 + 24, abs=3)
        corners.append((top, left))
    assert (np.ptp(corners, axis=0) > 60).all()


def test_every_digit_has_styles_of_its_own_for_validation() -> None:
    for digit in range(10):
        own, held = styles()[digit], styles(held_out=True)[digit]
        assert len(own) >= 3
        assert held
        assert not {s.draw for s in own} & {s.draw for s in held}
        assert {s.digit for s in [*own, *held]} == {digit}
    assert PenVariation() != HELD_OUT_HAND


def test_styles_are_chosen_by_weight() -> None:
    d, own = dice(), styles()[1]
    names = [choose_shape(own, d).draw for _ in range(4000)]
    total = sum(s.weight for s in own)
    for s in own:
        assert names.count(s.draw) / 4000 == pytest.approx(s.weight / total, abs=0.03)


def _holes(picture: np.ndarray) -> int:
    """Pieces of paper that ink encloses: flood fill over the four neighbors, the outside not counted."""
    paper = np.pad(picture < 0.5, 1, constant_values=True)
    todo = {(int(y), int(x)) for y, x in np.argwhere(paper)}
    sizes = []
    for start in [(0, 0), *sorted(todo)]:
        stack, size = [start], 0
        while stack:
            y, x = stack.pop()
            if (y, x) in todo:
                todo.remove((y, x))
                size += 1
                stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        sizes.append(size)
    return sum(size > 8 for size in sizes[1:])


@pytest.mark.parametrize(
    ("name", "holes"),
    [
        ("_zero_slashed", {1, 2, 3}),
        ("_one_flag_foot", {0}),
        ("_seven_crossed", {0}),
        ("_four_open", {0}),
        ("_four_closed", {1}),
        ("_three_round", {0}),
        ("_eight_circles", {2, 3}),
        ("_six_straight", {1}),
        ("_nine_straight", {1}),
    ],
)
def test_the_styles_look_as_named(name: str, holes: set[int]) -> None:
    shape = next(s for s in SHAPES if s.draw.__name__ == name)
    d = dice(5)
    counts = []
    for _ in range(30):
        paths = [path * 75 + 14 for path in write(shape, STEADY, d)]
        counts.append(_holes(draw(paths, 3, (106, 84))))
    assert np.mean([count in holes for count in counts]) >= 0.75


def test_curves_pass_through_their_points() -> None:
    points = [(0.0, 0.0), (0.3, 0.8), (0.9, 0.2), (1.0, 1.0)]
    path = curve(points)
    for point in points:
        assert np.abs(path - point).sum(axis=1).min() < 1e-12


def test_arcs_lie_on_their_ellipse() -> None:
    path = arc((0.3, 0.5), (0.2, 0.4), -90, 180)
    np.testing.assert_allclose(((path - [0.3, 0.5]) / [0.2, 0.4]) ** 2 @ [1, 1], 1)
    np.testing.assert_allclose(path[[0, -1]], [[0.3, 0.1], [0.3, 0.9]], atol=1e-12)
    assert path[:, 0].max() == pytest.approx(0.5, abs=0.01)


def test_resampled_paths_have_as_many_points_as_asked() -> None:
    hand = PenVariation(points=(8, 8), resampled=1, smoothed=0, ticked=0, dragged=0)
    for seed in range(20):
        assert 7 <= sum(map(len, write(SHAPES[0], hand, dice(seed)))) <= 9
    # As often as asked a drawing has few points, though the range goes far beyond.
    hand = PenVariation(points=(8, 600), few=0.3, resampled=1, smoothed=0, ticked=0, dragged=0)
    counts = [sum(map(len, write(SHAPES[0], hand, dice(seed)))) for seed in range(300)]
    assert np.mean([count <= 13 for count in counts]) == pytest.approx(
        0.3 + 0.7 * np.log(13 / 8) / np.log(601 / 8), abs=0.08
    )


def test_smoothed_paths_go_through_the_same_points() -> None:
    straight = PenVariation(points=(9, 9), resampled=1, smoothed=0, ticked=0, dragged=0)
    smooth = dataclasses.replace(straight, smoothed=1)
    for seed in range(10):
        plain, curved = (write(SHAPES[0], hand, dice(seed)) for hand in (straight, smooth))
        for a, b in zip(plain, curved, strict=True):
            assert len(b) > 3 * len(a)
            assert all(np.abs(b - point).sum(axis=1).min() < 1e-9 for point in a)


def test_few_points_are_often_one_stroke() -> None:
    hand = PenVariation(points=(8, 12), few=0, resampled=1, ticked=0, dragged=0)
    crossed = next(shape for shape in SHAPES if shape.draw.__name__ == "_seven_crossed")
    strokes = [len(write(crossed, hand, dice(seed))) for seed in range(200)]
    assert set(strokes) == {1, 2}
    assert strokes.count(1) / 200 == pytest.approx(hand.joined, abs=0.12)
    many = PenVariation(points=(13, 60), few=0, resampled=1, ticked=0, dragged=0)
    assert {len(write(crossed, many, dice(seed))) for seed in range(50)} == {2}


def test_each_purpose_has_signs_of_its_own() -> None:
    found = {purpose: synthesize_outliers(60, 0, purpose) for purpose in PURPOSES}
    assert torch.equal(found["training"], synthesize_outliers(60, 0, "training"))
    rows = [bytes(image.numpy()) for images in found.values() for image in images]
    assert len(rows) == len(set(rows)) == 3 * 60
    assert {(images.shape, images.dtype) for images in found.values()} == {((60, 1, 28, 28), torch.uint8)}
    signs = [sign for table in TABLES.values() for sign in table]
    assert len(TABLES) == 3
    assert len(signs) == len(set(signs))
