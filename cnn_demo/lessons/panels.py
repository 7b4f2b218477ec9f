"""What a lesson shows: pictures of arrays, windows that slide over them, bars, curves, tables, small graphs.

A panel is plain data; the browser draws it (``cnn_demo/ui/components/stage``) and a notebook can read it. Every number
in a panel has been computed by torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cnn_demo.lessons.words import Words

Colors = Literal["gray", "sequential", "diverging"]
Role = Literal["first", "second", "third", "faint", "mark"]  # which of the house's colors a line or a bar gets
EMPTY = Words("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A matrix as a picture, or as a table of numbers.

    Attributes:
        name: unique within a scene.
        title: above it.
        values: ``(H, W)`` float; ``(3, H, W)`` in [0, 1] for a color photo.
        colors: the color map; a diverging one is centered at zero.
        limits: values at both ends of the colors; None for the smallest and the largest.
        numbers: whether each cell shows its number (for small matrices).
        outside: ``(H, W)`` bool, cells that are padding: hatched.
        rings: (row, column) of cells with a ring around them.
        edit: the name of the control that changes the cells: numbers to type, or a picture to paint. "" for none.
        ink: the values of an empty and of a full cell, where it is painted on.
        width: in CSS pixels at most.
        note: one line below.
    """

    name: str
    title: Words
    values: np.ndarray
    colors: Colors = "sequential"
    limits: tuple[float, float] | None = None
    numbers: bool = False
    outside: np.ndarray | None = None
    rings: Sequence[tuple[int, int]] = ()
    edit: str = ""
    ink: tuple[float, float] = (0.0, 1.0)
    width: int = 300
    note: Words = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that slides over one grid and fills another: each product, and the sum as it grows.

    Attributes:
        name: unique within a scene.
        title: above it.
        source, kernel, output: the names of three grids; ``kernel`` is "" where a window is only compared.
        rule: what is done with the window.
        terms: ``(H_out · W_out, kh · kw)`` what is added (or compared) at each place.
        running: the same shape, the sum (or the largest) after each term, as torch has it.
        size: height and width of the window.
        stride, dilation: (vertical, horizontal), in cells of ``source``, which includes its padding.
        bias: added at the end; None where there is none.
        at: the place to begin with, row by row.
        control: the name of the control that keeps the place; "" for none.
    """

    name: str
    title: Words
    source: str
    kernel: str
    output: str
    rule: Literal["sum", "max", "mean"]
    terms: np.ndarray
    running: np.ndarray
    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    bias: float | None = None
    at: int = 0
    control: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its value, and the color."""

    label: Words
    value: float
    role: Role = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars drawn to scale, each with its number; ``limit`` is the value of a full bar, None for the largest."""

    name: str
    title: Words
    bars: Sequence[Bar]
    limit: float | None = None
    note: Words = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve of :class:`Curves`; ``x`` and ``y`` are ``(n,)``."""

    label: Words
    x: np.ndarray
    y: np.ndarray
    role: Role = "first"
    dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Lines in one chart.

    Attributes:
        name, title: as in :class:`Grid`.
        lines: what is drawn; numbers that are not finite leave a gap.
        xlabel, ylabel: of the axes.
        log: whether the vertical axis is logarithmic.
        limits: of the vertical axis; None for what the lines need.
        at: (x, y) of a point that is marked with its numbers.
        control: the name of a slider that a click on the chart sets to that x; "" for none.
    """

    name: str
    title: Words
    lines: Sequence[Line]
    xlabel: Words
    ylabel: Words = EMPTY
    log: bool = False
    limits: tuple[float, float] | None = None
    at: tuple[float, float] | None = None
    control: str = ""
    note: Words = EMPTY


Cell = Words | float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of words and numbers; ``chosen`` is the row that is marked, -1 for none."""

    name: str
    title: Words
    head: Sequence[Words]
    rows: Sequence[Sequence[Cell]]
    chosen: int = -1
    note: Words = EMPTY


@dataclass(frozen=True, slots=True)
class Node:
    """A number in a small network: where it is drawn (0 to 1), its name, its value, its gradient (None: not asked)."""

    name: str
    x: float
    y: float
    value: float
    gradient: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network small enough to write out; ``edges`` are (from, to, weight or None) by the names of nodes."""

    name: str
    title: Words
    nodes: Sequence[Node]
    edges: Sequence[tuple[str, str, float | None]]
    note: Words = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Sentences in the place of a picture: what went wrong, or what a picture cannot say."""

    name: str
    lines: Sequence[Words]
    title: Words = EMPTY


Panel = Grid | Window | Bars | Curves | Table | Graph | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a lesson shows at one setting of its controls.

    Attributes:
        rows: panels side by side, row below row.
        numbers: the lesson's formula with the numbers of this scene in it, LaTeX.
        reveal: rows that are shown once the visitor has guessed: the evidence of the surprise.
        facts: values that the sentences of the lesson may name, and its guess is checked by.
    """

    rows: Sequence[Sequence[Panel]]
    numbers: str = ""
    reveal: Sequence[Sequence[Panel]] = ()
    facts: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def panels(self) -> list[Panel]:
        """All of them, the revealed ones last."""
        return [panel for row in (*self.rows, *self.reveal) for panel in row]
