"""Synthetic digits: pen strokes as on the pad of the Draw page, prepared as a drawing is.

A style from ``skeletons`` is bent, slanted, shaken and resampled, drawn with a round pen of constant width, and brought
into MNIST's frame by the same functions as a visitor's drawing (see ``mnist_frame``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.mnist_frame import FAINT, FIELD, center_in_field, find_bounds, fit_box
from cnn_demo.handwriting.skeletons.outliers import PURPOSES, Purpose, draw_outlier
from cnn_demo.handwriting.skeletons.pen import DigitStyle, PenPath, RandomStream, curve
from cnn_demo.handwriting.skeletons.styles import choose_style, list_styles

PAD = 280


def do_nothing() -> None:
    """For those who do not count what is drawn."""


@dataclass(frozen=True, slots=True)
class PenVariation:
    """How far a written digit strays from its style. Lengths are parts of the digit's height.

    Attributes:
        slant: mean and standard deviation of the shear: shift to the right at the top for one unit of height.
        turn: standard deviation of the rotation, in degrees.
        width: standard deviation of the logarithm of the width.
        bend: amplitude of smooth waves across the whole digit.
        shake: amplitude of smooth waves along the path.
        lift: standard deviation of the misplacement of each stroke.
        points: fewest and most points a drawing is resampled to, spaced evenly along the path. The logarithm of
            their number is uniform, since a few points less matter only where there are few.
        resampled: part of the drawings that are resampled; the others keep their dense points.
        few: part of the drawings that are resampled to at most twelve points, in addition.
        smoothed: part of the resampled drawings in which a smooth curve joins the points, as on the pad.
        dragged: part of the drawings in which the pen is not lifted between strokes.
        joined: the same for drawings of at most twelve points: such recordings rarely tell where the pen was lifted.
        ticked: part of the strokes that begin or end with a tick.
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


_FEW = 12  # points of a drawing that count as few

HELD_OUT_VARIATION = PenVariation(slant=(0.15, 0.33), turn=9.0, width=0.3, bend=0.045, shake=0.016, lift=0.03)


def write_digit(style: DigitStyle, variation: PenVariation, stream: RandomStream) -> list[PenPath]:
    """Write one digit as pen paths ``(points, 2)``, about 1 high, in no particular place."""
    return deform_paths(style.draw(stream), variation, stream)


def deform_paths(paths: list[PenPath], variation: PenVariation, stream: RandomStream) -> list[PenPath]:
    """Bend, shake, slant and resample paths at random, as far as a variation allows."""
    total = _choose_point_count(variation, stream)
    if stream.chance(variation.joined if 0 < total <= _FEW else variation.dragged):
        paths = [np.concatenate(paths)]
    paths = [_resample(path, _dense_count(path)) for path in paths]
    rng = stream.rng
    paths = [path + rng.normal(0, variation.lift, 2) + _random_wave(len(path), variation.shake, rng) for path in paths]
    sizes = np.cumsum([len(path) for path in paths])[:-1]
    every = np.concatenate(paths)
    every = every + _random_bend(every, variation.bend, rng)
    shear = np.clip(rng.normal(*variation.slant), -0.5, 0.95)
    angle = np.radians(np.clip(rng.normal(0, variation.turn), -22, 22))
    stretch = np.exp(rng.normal(0, variation.width))
    affine = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array(
        [[stretch, -shear], [0, 1]]
    )
    paths = np.split(every @ affine.T, sizes)
    if total:
        lengths = [_measure_length(path) for path in paths]
        paths = [
            _resample(path, max(2, round(total * own / max(sum(lengths), 1e-9))))
            for path, own in zip(paths, lengths, strict=True)
        ]
        if stream.chance(variation.smoothed):
            paths = [curve(path) for path in paths]
    return [_add_tick(path, stream) if stream.chance(variation.ticked) else path for path in paths]


def _choose_point_count(variation: PenVariation, stream: RandomStream) -> int:
    """How many points a drawing is resampled to; 0 where it is not."""
    if stream.chance(variation.few):
        low, high = variation.points[0], min(_FEW, variation.points[1])
    elif stream.chance(variation.resampled):
        low, high = variation.points
    else:
        return 0
    return int(np.exp(stream.u(np.log(low), np.log(high + 1))) + 1e-9)


def _measure_length(path: PenPath) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def _dense_count(path: PenPath) -> int:
    return max(4, int(_measure_length(path) * 18))


def _resample(path: PenPath, count: int) -> PenPath:
    """``count`` points, evenly spaced along the path."""
    along = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, path[:, 0]), np.interp(at, along, path[:, 1])], axis=1)


def _random_wave(count: int, size: float, rng: np.random.Generator) -> PenPath:
    """A smooth random displacement along a path: four sine waves a coordinate, ``(count, 2)``."""
    t = np.linspace(0, 1, count)[:, None, None]
    turns = rng.uniform(0.5, 5, (1, 4, 2))
    waves = np.sin(2 * np.pi * (t * turns + rng.random((1, 4, 2)))) * rng.normal(0, size, (1, 4, 2))
    return waves.sum(axis=1)


def _random_bend(points: PenPath, size: float, rng: np.random.Generator) -> PenPath:
    """A smooth random displacement of the plane: three plane waves a coordinate, ``(points, 2)``."""
    direction = rng.normal(0, 0.7, (2, 6))
    phase = 2 * np.pi * (points @ direction + rng.random(6))
    waves = np.sin(phase) * rng.normal(0, size, 6)  # (points, 6)
    return np.stack([waves[:, :3].sum(axis=1), waves[:, 3:].sum(axis=1)], axis=1)


def _add_tick(path: PenPath, stream: RandomStream) -> PenPath:
    tick = np.array([[stream.u(-0.07, 0.07), stream.u(-0.07, 0.07)]])
    if stream.chance(0.5):
        return np.concatenate([path, path[-1:] + tick])
    return np.concatenate([path[:1] + tick, path])


def draw_strokes(
    paths: list[PenPath], pen: float, size: tuple[int, int], *, dotted: bool = False
) -> NDArray[np.float32]:
    """Draw with a round pen of constant width along paths in pixels: ``(H, W)`` float32, 0 or 1.

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


def draw_in_frame(paths: list[PenPath], pen: float, fill: float, *, dotted: bool = False) -> NDArray[np.float32]:
    """Draw what :func:`cnn_demo.drawing.prepare.prepare` makes of a digit on a 280-pixel pad, without painting the pad.

    Args:
        paths: pen paths in any unit.
        pen: width of the pen in pixels of the pad.
        fill: longer side of the paths as a part of the pad.
        dotted: see :func:`draw_strokes`.

    Returns:
        ``(28, 28)`` float32 in [0, 1].
    """
    every = np.concatenate(paths)
    low, high = every.min(axis=0), every.max(axis=0)
    extent = max(float((high - low).max()), 1e-6)
    # Paths and pen together are scaled to the fine canvas, as the crop of a pad would be.
    scale = _FINE / (fill * PAD + pen)
    unit = fill * PAD / extent * scale
    placed = [(path - low) * unit + pen * scale / 2 for path in paths]
    wide, tall = ((high - low) * unit + pen * scale).tolist()
    ink = draw_strokes(placed, pen * scale, (int(tall) + 2, int(wide) + 2), dotted=dotted)
    top, left, bottom, right = find_bounds(ink, FAINT)
    return center_in_field(fit_box(ink[top:bottom, left:right]))


def draw_sample(paths: list[PenPath], variation: PenVariation, stream: RandomStream) -> NDArray[np.uint8]:
    """:func:`draw_in_frame` with a random pen and size of the variation: ``(28, 28)`` uint8."""
    return (draw_in_frame(paths, stream.u(*variation.pen), stream.u(*variation.fill)) * 255 + 0.5).astype(np.uint8)


def draw_on_pad(paths: list[PenPath], pen: float, fill: float, stream: RandomStream) -> NDArray[np.uint8]:
    """A picture of the pad, white on black, the digit at a random place on it: ``(280, 280)`` uint8."""
    every = np.concatenate(paths)
    low, high = every.min(axis=0), every.max(axis=0)
    unit = fill * PAD / max(float((high - low).max()), 1e-6)
    room = np.maximum(PAD - (high - low) * unit - pen, 0)
    corner = np.array([stream.u(0, 1), stream.u(0, 1)]) * room + np.minimum(pen, PAD - (high - low) * unit) / 2
    fine = 2  # drawn twice as large and averaged: the anti-aliased edge of a browser's canvas
    ink = draw_strokes([((path - low) * unit + corner) * fine for path in paths], pen * fine, (PAD * fine, PAD * fine))
    return (ink.reshape(PAD, fine, PAD, fine).mean(axis=(1, 3)) * 255 + 0.5).astype(np.uint8)


# In each round of fourteen the digits that people write most differently come twice, 1 three times.
_TURNS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 4, 7, 1)


def synthesize(
    n: int,
    seed: int,
    *,
    variation: PenVariation | None = None,
    held_out: bool = False,
    each: Callable[[], None] = do_nothing,
) -> Split:
    """Draw ``n`` digits in MNIST's frame, the classes in turn; for training 1, 4 and 7 come more often.

    Args:
        n: how many.
        seed: equal seeds give equal pictures (on one NumPy and Pillow).
        variation: how far they stray from their styles; None for the default, which is :data:`HELD_OUT_VARIATION` when
            ``held_out``.
        held_out: draw the styles that are kept for validation.
        each: is called after every one that is drawn.

    Returns:
        Images ``(n, 1, 28, 28)`` uint8 and labels ``(n,)`` int64.
    """
    stream = RandomStream(np.random.default_rng([seed, int(held_out)]))
    variation = variation or (HELD_OUT_VARIATION if held_out else PenVariation())
    styles = list_styles(held_out)
    images = np.zeros((n, 1, FIELD, FIELD), dtype=np.uint8)
    labels = np.resize(range(10) if held_out else _TURNS, n)
    for i in range(n):
        paths = write_digit(choose_style(styles[labels[i]], stream), variation, stream)
        images[i, 0] = draw_sample(paths, variation, stream)
        each()
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def synthesize_outliers(n: int, seed: int, purpose: Purpose, *, each: Callable[[], None] = do_nothing) -> Tensor:
    """Draw ``n`` letters, symbols and scribbles that are no digits, in MNIST's frame: ``(n, 1, 28, 28)`` uint8.

    Args:
        n: how many.
        seed: equal seeds give equal pictures.
        purpose: what they are for; no two purposes share a symbol.
        each: is called after every one that is drawn.
    """
    stream, variation = RandomStream(np.random.default_rng([seed, 2 + PURPOSES.index(purpose)])), PenVariation()
    images = np.zeros((n, 1, FIELD, FIELD), dtype=np.uint8)
    for i in range(n):
        paths = deform_paths(draw_outlier(stream, purpose), variation, stream)
        images[i, 0] = draw_sample(paths, variation, stream)
        each()
    return torch.from_numpy(images)
