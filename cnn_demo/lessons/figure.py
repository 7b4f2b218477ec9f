"""A lesson's panels as one picture for a slide, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_demo.lessons.panels import Bars, Curves, Graph, Grid, Panel, Table, Text, Window
from cnn_demo.lessons.words import Translate, Words, write_number
from cnn_demo.plots.palette import MARK_COLOR, TEST_COLOR, TRAIN_COLOR, VAL_COLOR
from cnn_demo.plots.tiles import DIVERGING, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {"first": TRAIN_COLOR, "second": TEST_COLOR, "third": VAL_COLOR, "faint": MARK_COLOR, "mark": "#a855f7"}
_MAPS = {"gray": "gray", "sequential": SEQUENTIAL, "diverging": DIVERGING}
_ACROSS, _TALL = 11.0, 3.1  # inches of the whole picture, and of a row


def draw_scene(title: str, rows: Sequence[Sequence[Panel]], translate: Translate) -> Figure:
    """All panels of a scene in their rows; the sliding window is left out, for it lives by moving.

    Args:
        title: above the picture, in the language of ``translate``.
        rows: as in a scene.
        translate: to the language of the picture.
    """
    from matplotlib.figure import Figure

    from cnn_demo.plots.figures import house_fonts

    shown = [[panel for panel in row if not isinstance(panel, Window)] for row in rows]
    shown = [row for row in shown if row]
    with house_fonts():
        figure = Figure(figsize=(_ACROSS, _TALL * max(len(shown), 1) + 0.5), dpi=160, layout="constrained")
        figure.suptitle(title, fontsize=14, parse_math=False)
        for part, row in zip(figure.subfigures(max(len(shown), 1), 1, squeeze=False)[:, 0], shown, strict=False):
            for axes, panel in zip(part.subplots(1, len(row), squeeze=False)[0], row, strict=True):
                axes.set_title(panel.title.fill(translate), fontsize=9, parse_math=False)
                _DRAWERS[type(panel)](axes, panel, translate)
        figure.canvas.draw()  # texts are measured while the fonts above are in force
    return figure


def _draw_grid(axes: Axes, panel: Grid, translate: Translate) -> None:
    values = panel.values.transpose(1, 2, 0) if panel.values.ndim == 3 else panel.values
    low, high = panel.limits or (float(values.min()), float(values.max()))
    if panel.colors == "diverging":
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    axes.imshow(values, cmap=_MAPS[panel.colors], vmin=low, vmax=high, interpolation="nearest")
    axes.set_axis_off()
    if panel.numbers and values.size <= 144:
        for (row, column), value in np.ndenumerate(values):
            shade = (value - low) / ((high - low) or 1)
            dark = (panel.colors != "diverging" and shade < 0.6) or (
                panel.colors == "diverging" and abs(shade - 0.5) > 0.3
            )
            text = write_number(float(value), 3)
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")


def _draw_bars(axes: Axes, panel: Bars, translate: Translate) -> None:
    names = [bar.label.fill(translate) for bar in panel.bars]
    places = range(len(names))
    axes.barh(places, [bar.value for bar in panel.bars], color=[COLORS[bar.role] for bar in panel.bars])
    axes.set_yticks(places, names, fontsize=8)
    for place, bar in zip(places, panel.bars, strict=True):
        axes.text(bar.value, place, " " + write_number(bar.value), va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, (panel.limit or max((abs(bar.value) for bar in panel.bars), default=1) or 1) * 1.25)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])


def _draw_curves(axes: Axes, panel: Curves, translate: Translate) -> None:
    for line in panel.lines:
        label = line.label.fill(translate) or None
        axes.plot(line.x, line.y, color=COLORS[line.role], marker="o" if line.dots else None, markersize=3, label=label)
    axes.set(xlabel=panel.xlabel.fill(translate), ylabel=panel.ylabel.fill(translate))
    axes.set_yscale("log" if panel.log else "linear")
    if panel.limits:
        axes.set_ylim(panel.limits)
    if panel.at:
        axes.plot(*panel.at, "o", color="#f59e0b", markeredgecolor="black")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if any(line.label.text for line in panel.lines):
        axes.legend(frameon=False, fontsize=7)


def _draw_table(axes: Axes, panel: Table, translate: Translate) -> None:
    axes.set_axis_off()
    cells = [[_write_cell(cell, translate) for cell in row] for row in panel.rows]
    table = axes.table(cells, colLabels=[head.fill(translate) for head in panel.head], loc="center", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(7)


def _write_cell(cell: Any, translate: Translate) -> str:
    if isinstance(cell, Words):
        return cell.fill(translate)
    return write_number(cell) if isinstance(cell, int | float) else str(cell)


def _draw_graph(axes: Axes, panel: Graph, translate: Translate) -> None:
    axes.set_axis_off()
    places = {node.name: (node.x, 1 - node.y) for node in panel.nodes}
    for start, end, weight in panel.edges:
        (x1, y1), (x2, y2) = places[start], places[end]
        axes.plot([x1, x2], [y1, y2], color=MARK_COLOR, linewidth=0.8, zorder=1)
        if weight is not None:
            axes.text(x1 + (x2 - x1) * 0.3, y1 + (y2 - y1) * 0.3, write_number(weight, 3), fontsize=7)
    for node in panel.nodes:
        x, y = places[node.name]
        axes.plot(x, y, "o", markersize=18, color="white", markeredgecolor=TRAIN_COLOR, zorder=2)
        axes.text(x, y, node.name, ha="center", va="center", fontsize=8, zorder=3)
        axes.text(x, y + 0.12, write_number(node.value), ha="center", fontsize=8)
        if node.gradient is not None:
            axes.text(x, y - 0.16, f"∂ {write_number(node.gradient)}", ha="center", fontsize=7, color=TEST_COLOR)
    axes.set(xlim=(-0.1, 1.1), ylim=(-0.15, 1.2))


def _draw_text(axes: Axes, panel: Text, translate: Translate) -> None:
    axes.set_axis_off()
    axes.text(0, 0.8, "\n".join(line.fill(translate) for line in panel.lines), wrap=True, va="top", fontsize=9)


_DRAWERS: dict[type, Callable[[Any, Any, Translate], None]] = {
    Grid: _draw_grid,
    Bars: _draw_bars,
    Curves: _draw_curves,
    Table: _draw_table,
    Graph: _draw_graph,
    Text: _draw_text,
}
