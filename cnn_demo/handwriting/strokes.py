"""Synthetic pen drawings of digits, made as a pad makes them and prepared as a drawing is.

A style from ``skeletons`` is bent, slanted, shaken and resampled, drawn with a round pen of constant width, and brought
into MNIST's frame by the same functions as a visitor's drawing (``ink.fit_box`` and ``ink.center_in_field``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting import ink as inks
from cnn_demo.handwriting.skeletons import SHAPES, Path, RandomStream, Shape
from cnn_demo.handwriting.skeletons.outliers import PURPOSES, Purpose, draw_outlier
from cnn_demo.handwriting.skeletons.pen import curve

PAD = 280


@dataclass(frozen=True, slots=True)
class PenVariation:
    """How far a written digit strays from its style. Lengths are parts of the digit's height.

    Attributes:
        slant: mean and standard deviation of the shear: shift to the right at the top for one unit of height.
        turn: standard deviation of the rotation, in degrees.
        width: standard deviation of the logarithm of the width.
        bend: amplitude of smooth waves across the whole digit.
        shake: amplitude of smooth waves along the pen's way.
        lift: standard deviation of the misplacement of each stroke.
        points: fewest and most points a drawing is resampled to, spaced evenly along the pen's way. The logarithm of
            their number is uniform, since a few points less matter only where there are few.
        resampled: how often that happens; else the points stay as dense as drawn.
        few: how often a drawing is resampled to at most twelve points, besides.
        smoothed: how often the pen goes from point to point in a smooth curve, as the pad draws it, and not straight.
        dragged: how often the pen is not lifted between strokes.
        joined: the same where the drawing is resampled to at most twelve points: who records so few points rarely
            records where the pen was lifted.
        ticked: how often a stroke begins or ends with a tick.
        pen: thinnest and thickest pen on a pad of 280 pixels.
        fill: smallest and largest part of the pad that the longer side of the digit takes.
    """

    slant: tuple[float, float] = (0.12, 0.27)
    turn: float = 7.0
    width: float = 0.25
    bend: float = 0.035
    shake: float = 0.012
    lift: float = 0.025
    points: tuple[int, int] = (8, 60)
    resampled: float = 0.6
    few: float = 0.05
    smoothed: float = 0.5
    dragged: float = 0.1
    joined: float = 0.6
    ticked: float = 0.12
    pen: tuple[float, float] = (10, 24)
    fill: tuple[float, float] = (0.3, 0.9)


HELD_OUT_HAND = PenVariation(slant=(0.15, 0.33), turn=9.0, width=0.3, bend=0.045, shake=0.016, lift=0.03)


def write(shape: Shape, hand: PenVariation, dice: RandomStream) -> list[Path]:
    """One digit as pen paths ``(points, 2)``, about 1 high, in no particular place."""
    return deform_paths(shape.draw(dice), hand, dice)


def deform_paths(paths: list[Path], hand: PenVariation, dice: RandomStream) -> list[Path]:
    """Bend, shake, slant and resample paths as a hand would."""
    total = _points(hand, dice)
    if dice.chance(hand.joined if 0 < total <= _FEW else hand.dragged):
        paths = [np.concatenate(paths)]
    paths = [_even(path, _density(path)) for path in paths]
    rng = dice.rng
    paths = [path + rng.normal(0, hand.lift, 2) + _wave(len(path), hand.shake, rng) for path in paths]
    sizes = np.cumsum([len(path) for path in paths])[:-1]
    every = np.concatenate(paths)
    every = every + _bend(every, hand.bend, rng)
    shear = np.clip(rng.normal(*hand.slant), -0.5, 0.95)
    angle = np.radians(np.clip(rng.normal(0, hand.turn), -22, 22))
    stretch = np.exp(rng.normal(0, hand.width))
    affine = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array(
        [[stretch, -shear], [0, 1]]
    )
    paths = np.split(every @ affine.T, sizes)
    if total:
        lengths = [_length(path) for path in paths]
        paths = [
            _even(path, max(2, round(total * own / max(sum(lengths), 1e-9))))
            for path, own in zip(paths, lengths, strict=True)
        ]
        if dice.chance(hand.smoothed):
            paths = [curve(path) for path in paths]
    return [_tick(path, dice) if dice.chance(hand.ticked) else path for path in paths]


_FEW = 12


def _points(hand: PenVariation, dice: RandomStream) -> int:
    """How many points a drawing is resampled to; 0 where it is not."""
    if dice.chance(hand.few):
        low, high = hand.points[0], min(_FEW, hand.points[1])
    elif dice.chance(hand.resampled):
        low, high = hand.points
    else:
        return 0
    return int(np.exp(dice.u(np.log(low), np.log(high + 1))) + 1e-9)


def _length(path: Path) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def _density(path: Path) -> int:
    return max(4, int(_length(path) * 18))


def _even(path: Path, count: int) -> Path:
    """``count`` points, evenly spaced along the path."""
    along = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, path[:, 0]), np.interp(at, along, path[:, 1])], axis=1)


def _wave(count: int, size: float, rng: np.random.Generator) -> Path:
    """A smooth random displacement along a path: four sine waves a coordinate, ``(count, 2)``."""
    t = np.linspace(0, 1, count)[:, None, None]
    turns = rng.uniform(0.5, 5, (1, 4, 2))
    waves = np.sin(2 * np.pi * (t * turns + rng.random((1, 4, 2)))) * rng.normal(0, size, (1, 4, 2))
    return waves.sum(axis=1)


def _bend(points: Path, size: float, rng: np.random.Generator) -> Path:
    """A smooth random displacement of the plane: three plane waves a coordinate, ``(points, 2)``."""
    direction = rng.normal(0, 0.7, (2, 6))
    phase = 2 * np.pi * (points @ direction + rng.random(6))
    waves = np.sin(phase) * rng.normal(0, size, 6)  # (points, 6)
    return np.stack([waves[:, :3].sum(axis=1), waves[:, 3:].sum(axis=1)], axis=1)


def _tick(path: Path, dice: RandomStream) -> Path:
    way = np.array([[dice.u(-0.07, 0.07), dice.u(-0.07, 0.07)]])
    if dice.chance(0.5):
        return np.concatenate([path, path[-1:] + way])
    return np.concatenate([path[:1] + way, path])


def draw(paths: list[Path], pen: float, size: tuple[int, int], *, dotted: bool = False) -> NDArray[np.float32]:
    """Ink of a round pen of constant width along paths in pixels: ``(H, W)`` float32, 0 or 1.

    With ``dotted`` the pen is only set down on each point, for points that lie closer than it is wide, in any order.
    """
    image = Image.new("L", (size[1], size[0]))
    ink = ImageDraw.Draw(image)
    half = pen / 2
    width = max(round(pen), 1)
    for path in paths:
        points = path.tolist()
        if len(points) > 1 and not dotted:
            ink.line([x for point in points for x in point], fill=255, width=width)
        for x, y in points:
            ink.ellipse((x - half, y - half, x + half, y + half), fill=255)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


_FINE = 160  # longer side of a drawing before it is averaged down to 20: eight by eight samples a pixel


def to_field(paths: list[Path], pen: float, fill: float, *, dotted: bool = False) -> NDArray[np.float32]:
    """What :func:`cnn_demo.drawing.prepare.prepare` makes of a digit on a 280-pixel pad, without painting the pad.

    Args:
        paths: pen paths in any unit.
        pen: width of the pen in pixels of the pad.
        fill: longer side of the pen's way as a part of the pad.
        dotted: see :func:`draw`.

    Returns:
        ``(28, 28)`` float32 in [0, 1].
    """
    every = np.concatenate(paths)
    low, high = every.min(axis=0), every.max(axis=0)
    extent = max(float((high - low).max()), 1e-6)
    # Way and pen together are scaled to the fine canvas, as the crop of a pad would be.
    scale = _FINE / (fill * PAD + pen)
    unit = fill * PAD / extent * scale
    placed = [(path - low) * unit + pen * scale / 2 for path in paths]
    wide, tall = ((high - low) * unit + pen * scale).tolist()
    ink = draw(placed, pen * scale, (int(tall) + 2, int(wide) + 2), dotted=dotted)
    top, left, bottom, right = inks.bounds(ink, inks.FAINT)
    return inks.center_in_field(inks.fit_box(ink[top:bottom, left:right]))


def picture(paths: list[Path], hand: PenVariation, dice: RandomStream) -> NDArray[np.uint8]:
    """:func:`to_field` with one of the hand's pens and sizes: ``(28, 28)`` uint8."""
    return (to_field(paths, dice.u(*hand.pen), dice.u(*hand.fill)) * 255 + 0.5).astype(np.uint8)


def on_pad(paths: list[Path], pen: float, fill: float, dice: RandomStream) -> NDArray[np.uint8]:
    """A pad picture, white on black, the digit somewhere on it: ``(280, 280)`` uint8."""
    every = np.concatenate(paths)
    low, high = every.min(axis=0), every.max(axis=0)
    unit = fill * PAD / max(float((high - low).max()), 1e-6)
    room = np.maximum(PAD - (high - low) * unit - pen, 0)
    corner = np.array([dice.u(0, 1), dice.u(0, 1)]) * room + np.minimum(pen, PAD - (high - low) * unit) / 2
    fine = 2  # drawn twice as large and averaged: the anti-aliased edge of a browser's canvas
    ink = draw([((path - low) * unit + corner) * fine for path in paths], pen * fine, (PAD * fine, PAD * fine))
    return (ink.reshape(PAD, fine, PAD, fine).mean(axis=(1, 3)) * 255 + 0.5).astype(np.uint8)


def styles(held_out: bool = False) -> list[list[Shape]]:
    """The styles of each digit 0..9: those for training, or those kept for validation."""
    return [[s for s in SHAPES if s.digit == digit and s.held_out == held_out] for digit in range(10)]


def choose_shape(shapes: list[Shape], dice: RandomStream) -> Shape:
    """One of the shapes, by weight."""
    at = dice.u(0, sum(shape.weight for shape in shapes))
    for shape in shapes:
        at -= shape.weight
        if at < 0:
            break
    return shape


# The digits that MNIST's writers and others write most differently come twice in a round, 1 three times.
_TURNS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 4, 7, 1)


def synthesize(n: int, seed: int, *, hand: PenVariation | None = None, held_out: bool = False) -> Split:
    """Draw ``n`` digits in MNIST's frame, the classes in turn; for training 1, 4 and 7 come more often.

    Args:
        n: how many.
        seed: equal seeds give equal pictures (on one NumPy and Pillow).
        hand: how they stray from their styles; None for the usual hand, or :data:`HELD_OUT_HAND` when ``held_out``.
        held_out: draw the styles that are kept for validation.

    Returns:
        Images ``(n, 1, 28, 28)`` uint8 and labels ``(n,)`` int64.
    """
    dice = RandomStream(np.random.default_rng([seed, int(held_out)]))
    hand = hand or (HELD_OUT_HAND if held_out else PenVariation())
    table = styles(held_out)
    images = np.zeros((n, 1, inks.FIELD, inks.FIELD), dtype=np.uint8)
    labels = np.resize(range(10) if held_out else _TURNS, n)
    for i in range(n):
        paths = write(choose_shape(table[labels[i]], dice), hand, dice)
        images[i, 0] = picture(paths, hand, dice)
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def synthesize_outliers(n: int, seed: int, purpose: Purpose) -> Tensor:
    """Draw ``n`` letters, symbols and scribbles that are no digits, in MNIST's frame: ``(n, 1, 28, 28)`` uint8.

    Args:
        n: how many.
        seed: equal seeds give equal pictures.
        purpose: what they are for; each purpose has signs of its own.
    """
    dice, hand = RandomStream(np.random.default_rng([seed, 2 + PURPOSES.index(purpose)])), PenVariation()
    images = np.zeros((n, 1, inks.FIELD, inks.FIELD), dtype=np.uint8)
    for i in range(n):
        paths = deform_paths(draw_outlier(dice, purpose), hand, dice)
        images[i, 0] = picture(paths, hand, dice)
    return torch.from_numpy(images)
