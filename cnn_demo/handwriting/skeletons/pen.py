"""What skeletons are made of: random numbers, lines, curves, arcs, and tables of styles.

Coordinates: x to the right, y down, a digit about 1 high and 0.6 wide. A path is ``(points, 2)``; a digit is a list of
paths, and the pen is lifted between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PenPath = NDArray[np.float64]
Point = tuple[float, float]


class RandomStream:
    """Uniform numbers one by one; drawing them from the generator in blocks is far cheaper than one call each."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._left: list[float] = []

    def u(self, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        if not self._left:
            self._left = self.rng.random(256).tolist()
        return low + (high - low) * self._left.pop()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.u(0, 1) < probability


DrawStyle = Callable[[RandomStream], list[PenPath]]


@dataclass(frozen=True)
class DigitStyle:
    """One way of writing a digit: how to draw it, how often, and whether it is kept for validation."""

    digit: int
    draw: DrawStyle
    weight: float
    held_out: bool


class StyleTable(list[DigitStyle]):
    """Styles in the order in which they were added; equal seeds draw equal digits only in an equal order."""

    def add(self, digit: int, weight: float, held_out: bool = False) -> Callable[[DrawStyle], DrawStyle]:
        """Decorate a function that draws a digit, to add it to the table."""

        def add_function(draw: DrawStyle) -> DrawStyle:
            self.append(DigitStyle(digit, draw, weight, held_out))
            return draw

        return add_function


_STEPS = 7


def _catmull_rom_weights() -> NDArray[np.float64]:
    t = np.arange(_STEPS) / _STEPS
    powers = np.stack([np.ones_like(t), t, t**2, t**3], axis=1)  # (steps, 4)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return powers @ basis


_WEIGHTS = _catmull_rom_weights()


def curve(points: Iterable[Point]) -> PenPath:
    """A smooth path through the points (uniform Catmull-Rom spline)."""
    p = np.array(list(points), dtype=np.float64)
    padded = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    windows = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)  # (segments, 4, 2)
    return np.concatenate([(_WEIGHTS @ windows).reshape(-1, 2), p[-1:]])


def line(*points: Point) -> PenPath:
    """Straight from point to point."""
    return np.array(points, dtype=np.float64)


def join(*paths: PenPath) -> PenPath:
    """One path without lifting the pen, with a corner at each joint."""
    return np.concatenate(paths)


def arc(center: Point, radii: Point, start: float, sweep: float, drift: float = 1.0) -> PenPath:
    """Part of an ellipse; angles in degrees, 0 to the right, 90 down; the radius ends ``drift`` times as large."""
    count = max(int(abs(sweep) / 14), 2)
    angle = np.radians(start + np.linspace(0, sweep, count + 1))
    grow = np.linspace(1, drift, count + 1)
    return np.stack([center[0] + radii[0] * grow * np.cos(angle), center[1] + radii[1] * grow * np.sin(angle)], axis=1)
