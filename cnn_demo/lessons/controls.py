"""What one can move in a lesson: described once, for the page, the address and the tests.

Every control has a short text form, which is what an address holds: ``stride=2``, ``kernel=sobel-x``,
``cells=0,1,0;1,-4,1;0,1,0``.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]  # by the names of controls


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What all controls have.

    Attributes:
        name: in the address.
        label: for people, in English, marked with ``N_``.
        help: one sentence more; "" for none.
        only: (name, values) of another control: this one is there only while that one has one of these values.
        unless: the same, and this one is not there while that one has one of these values.
    """

    name: str
    label: str
    help: str = ""
    only: tuple[str, tuple[Any, ...]] | None = None
    unless: tuple[str, tuple[Any, ...]] | None = None

    def is_shown(self, values: Values) -> bool:
        """Whether it has a meaning at these values."""
        if self.unless and values.get(self.unless[0]) in self.unless[1]:
            return False
        return self.only is None or values.get(self.only[0]) in self.only[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider(Control):
    """A number between two ends; whole where ``step`` and ``default`` are whole."""

    low: float
    high: float
    step: float = 1
    default: float = 0

    def parse(self, text: str) -> float:
        """The number of an address, on the slider's own steps.

        Raises:
            ValueError: it is no number, or beyond the ends.
        """
        value = float(text)
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise ValueError(text)
        return self.settle(value)

    def settle(self, value: float) -> float:
        """The nearest step; an int for whole steps."""
        steps = round((value - self.low) / self.step)
        found = round(self.low + steps * self.step, 10)
        whole = isinstance(self.step, int) and isinstance(self.low, int)
        return int(found) if whole else float(found)

    def write(self, value: float) -> str:
        """The text for an address."""
        return f"{value:g}"

    def draw_random(self, stream: random.Random) -> float:
        """Any value, for tests."""
        return self.settle(stream.uniform(self.low, self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Control):
    """One of a few; ``options`` are the words (English, ``N_``) by name."""

    options: Mapping[str, str]
    default: str

    def parse(self, text: str) -> str:
        """The option of that name; ValueError where there is none."""
        if text not in self.options:
            raise ValueError(text)
        return text

    def write(self, value: str) -> str:
        """The text for an address."""
        return value

    def draw_random(self, stream: random.Random) -> str:
        """Any value, for tests."""
        return stream.choice(list(self.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Control):
    """On or off."""

    default: bool = False

    def parse(self, text: str) -> bool:
        """``on`` or ``off``; ValueError for anything else."""
        if text not in ("on", "off"):
            raise ValueError(text)
        return text == "on"

    def write(self, value: bool) -> str:
        """The text for an address."""
        return "on" if value else "off"

    def draw_random(self, stream: random.Random) -> bool:
        """Any value, for tests."""
        return stream.random() < 0.5


Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells(Control):
    """A small matrix that one types into a grid of the scene; None until somebody has.

    Attributes:
        most: rows and columns at most.
        limit: a number's magnitude at most.
        sets: (control, value) that is set together with it: typing into a kernel makes it one's own.
    """

    most: int = 7
    limit: float = 99
    sets: tuple[str, str] | None = None
    default: Matrix | None = None

    def parse(self, text: str) -> Matrix:
        """The matrix of ``1,2;3,4``; ValueError where it is none, too large, or beyond the limit."""
        rows = tuple(tuple(float(cell) for cell in row.split(",")) for row in text.split(";"))
        if not (1 <= len(rows) <= self.most and 1 <= len(rows[0]) <= self.most):
            raise ValueError(text)
        if any(len(row) != len(rows[0]) for row in rows):
            raise ValueError(text)
        if not all(abs(cell) <= self.limit for row in rows for cell in row):  # also refuses what is no number
            raise ValueError(text)
        return rows

    def write(self, value: Matrix | None) -> str:
        """The text for an address; "" for None."""
        return ";".join(",".join(f"{cell:.4g}" for cell in row) for row in value or ())

    def draw_random(self, stream: random.Random) -> Matrix | None:
        """None: what is typed belongs to other controls, a test sets it itself."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting(Control):
    """A square picture that one paints on a grid of the scene, in sixteen grays; None until somebody has.

    Its text has one hexadecimal digit a cell, row by row.
    """

    default: str | None = None

    def parse(self, text: str) -> str:
        """The digits; ValueError where they are not those of a square of 4 to 64 cells a side."""
        side = math.isqrt(len(text))
        if side * side != len(text) or not 4 <= side <= 64 or not re.fullmatch("[0-9a-f]+", text):
            raise ValueError(text[:40])
        return text

    def write(self, value: str | None) -> str:
        """The text for an address; "" for None."""
        return value or ""

    def draw_random(self, stream: random.Random) -> str | None:
        """None, or a picture of random grays."""
        return None if stream.random() < 0.5 else "".join(stream.choice("0123456789abcdef") for _ in range(28 * 28))


AnyControl = Slider | Choice | Switch | Cells | Painting


def read_values(controls: Sequence[AnyControl], texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values of an address.

    Args:
        controls: of the lesson.
        texts: by the names of controls; others are left alone.

    Returns:
        The values, the default where there is no text or one that cannot be used; and the names of the latter.
    """
    values: dict[str, Any] = {}
    wrong = []
    for control in controls:
        values[control.name] = control.default
        text = texts.get(control.name)
        if text:
            try:
                values[control.name] = control.parse(text)
            except ValueError:
                wrong.append(control.name)
    return values, wrong


def write_values(controls: Sequence[AnyControl], values: Values) -> dict[str, str]:
    """The texts for an address: only what is not at its default and has a meaning."""
    found = {}
    for control in controls:
        value = values.get(control.name, control.default)
        if value != control.default and control.is_shown(values):
            found[control.name] = control.write(value)
    return found


def draw_random_values(controls: Sequence[AnyControl], stream: random.Random) -> dict[str, Any]:
    """A setting of all controls, for tests."""
    return {control.name: control.draw_random(stream) for control in controls}
