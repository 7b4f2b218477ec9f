"""Questions with random numbers in them, checked here and not in the browser."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cnn_demo.lessons.panels import Grid
from cnn_demo.lessons.words import Words

Given = float | str | tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question.

    Attributes:
        text: what is asked.
        kind: how it is answered: a number, one of ``options``, or a click on a cell of ``grid``.
        answer: the right one: a number, the name of an option, or (row, column).
        why: one or two sentences, shown with the right answer.
        options: the words by name.
        tolerance: how far a number may be off; 0 for whole numbers.
        grid: the picture that belongs to the question; None for none.
        also: further right cells.
    """

    text: Words
    kind: Literal["number", "choice", "cell"]
    answer: Given
    why: Words
    options: Mapping[str, Words] = field(default_factory=dict)
    tolerance: float = 0
    grid: Grid | None = None
    also: tuple[tuple[int, int], ...] = ()

    def is_right(self, given: Given) -> bool:
        """Whether this answer is right."""
        if self.kind == "number":
            return isinstance(given, int | float) and abs(given - float(self.answer)) <= self.tolerance + 1e-9  # type: ignore[arg-type]
        return given == self.answer or (isinstance(given, tuple) and given in self.also)


class NoNumber(ValueError):
    """What was typed is no number."""


def read_number(text: str) -> float:
    """The number that a person typed: ``1,176``, ``0,5``, ``1/3`` and a real minus sign are understood.

    Raises:
        NoNumber: it is none.
    """
    plain = text.strip().replace("−", "-").replace(" ", "").replace("，", ",")
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", plain):
        plain = plain.replace(",", "")
    plain = plain.replace(",", ".")
    part = re.fullmatch(r"([+-]?\d+(?:\.\d*)?)/(\d+(?:\.\d*)?)", plain)
    try:
        value = float(part[1]) / float(part[2]) if part else float(plain)
    except (ValueError, ZeroDivisionError):
        raise NoNumber(text) from None
    if not math.isfinite(value):
        raise NoNumber(text)
    return value


def start_stream(lesson: str, seed: int) -> random.Random:
    """Random numbers for the questions of a lesson; the same seed asks the same, also on another machine."""
    return random.Random(f"{lesson}:{seed}")
