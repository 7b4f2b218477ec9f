"""Arrays to matplotlib figures, pure: no global state of pyplot, no streamlit, nothing written.

Figures carry their words from outside, so that a page can give them in the visitor's language.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cnn_demo.plots.palette import MARK_COLOR, TEST_COLOR, TRAIN_COLOR, VAL_COLOR

if TYPE_CHECKING:
    from cnn_demo.plots.tiles import Tiles

# Names of fonts with Chinese glyphs on Linux, Windows and macOS; matplotlib takes the first for each missing glyph.
FONTS = ["DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC"]
_CHINESE_FILES = ("notosanscjk", "sourcehansans", "msyh", "pingfang")  # how the files of these fonts begin
_COLORS = {"train": TRAIN_COLOR, "val": VAL_COLOR, "test": TEST_COLOR}
_MARKERS = {"val": "D", "test": "o"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel.

    Attributes:
        role: "train", "val" or "test": decides color and marker.
        label: its words in the legend; "" for none.
        x: epochs.
        y: the values, as many.
        faint: for raw points behind their average.
    """

    role: str
    label: str
    x: Sequence[float]
    y: Sequence[float]
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    Attributes:
        ylabel: its words beside the y axis.
        lines: what is drawn.
        log: whether y is logarithmic.
        limits: the ends of the y axis; None for those of the lines.
        percent: whether y counts in percent.
    """

    ylabel: str
    lines: tuple[Line, ...]
    log: bool = False
    limits: tuple[float, float] | None = None
    percent: bool = False


def draw_curves(
    title: str, xlabel: str, panels: Sequence[Panel], marks: Sequence[tuple[float, str]] = (), width: float = 10
) -> Figure:
    """Panels side by side over one kind of axis, fit for a slide.

    Args:
        title: above all panels.
        xlabel: below each.
        panels: at least one.
        marks: (x, text) of dashed vertical lines, the changes of the learning rate.
        width: of the figure in inches; its height follows.
    """
    with house_fonts():
        figure = Figure(figsize=(width, width * 0.42), dpi=160, layout="constrained")
        figure.suptitle(title, fontsize=13, parse_math=False)  # a name that a person gave may hold a $
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            for line in panel.lines:
                axes.plot(
                    line.x,
                    line.y,
                    color=_COLORS[line.role],
                    marker=None if line.faint else _MARKERS.get(line.role),
                    markersize=5,
                    linewidth=0.8 if line.faint else 1.8,
                    alpha=0.3 if line.faint else 1,
                    label=line.label or None,
                )
            for x, text in marks:
                axes.axvline(x, color=MARK_COLOR, linestyle="--", linewidth=0.8)
                axes.annotate(
                    text,
                    (x, 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(3, -3),
                    textcoords="offset points",
                    rotation=90,
                    va="top",
                    fontsize=7,
                    color=MARK_COLOR,
                )
            axes.set(xlabel=xlabel, ylabel=panel.ylabel, yscale="log" if panel.log else "linear")
            if panel.limits:
                axes.set_ylim(panel.limits)
            if panel.percent:
                axes.yaxis.set_major_formatter(PercentFormatter(decimals=None))
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            if any(line.label for line in panel.lines):
                axes.legend(frameon=False)
        figure.canvas.draw()  # texts are measured while the fonts above are in force
    return figure


def house_fonts() -> AbstractContextManager[None]:
    """Fonts that have Chinese, for as long as the block lasts."""
    return mpl.rc_context({"font.family": _list_installed(FONTS), "svg.fonttype": "none", "axes.unicode_minus": False})


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as a file.

    Args:
        figure: any figure of this module.
        kind: "png", "svg" or "pdf".
    """
    buffer = io.BytesIO()
    with mpl.rc_context({"font.family": _list_installed(FONTS), "svg.fonttype": "path", "axes.unicode_minus": False}):
        figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def _list_installed(names: Sequence[str]) -> list[str]:
    """The names this machine has, so that matplotlib does not warn of the others."""
    _learn_new_fonts()
    have = set(font_manager.fontManager.get_font_names())
    return [name for name in names if name in have]


@cache
def _learn_new_fonts() -> None:
    """Add the Chinese fonts that came after matplotlib wrote its list of fonts; it would draw boxes.

    One file may hold fonts that are listed and others that are not: only ours count.
    """
    known = {font.fname for font in font_manager.fontManager.ttflist if font.name in FONTS}
    for file in font_manager.findSystemFonts():
        name = Path(file).name.lower().replace("-", "").replace("_", "")
        if file not in known and name.startswith(_CHINESE_FILES):
            with contextlib.suppress(OSError, RuntimeError):  # a damaged file is no reason to draw nothing
                font_manager.fontManager.addfont(file)


def draw_feature_maps(title: str, tiles: Tiles, colors: str, value: str, note: str = "", width: float = 10) -> Figure:
    """All channels of one layer in one picture, numbered, with a color bar; fit for a slide.

    Args:
        title: above the picture.
        tiles: the picture and where each channel is in it.
        colors: the name of matplotlib's color map that ``tiles`` was made with.
        value: what the color bar shows.
        note: under the picture; "" for none. The color bar is left out when channels have scales of their own.
        width: of the figure in inches; its height follows.
    """
    height, across = tiles.picture.shape[:2]
    with house_fonts():
        figure = Figure(figsize=(width, max(2.2, width * 0.88 * height / across + 0.9)), dpi=160, layout="constrained")
        axes = figure.subplots()
        axes.imshow(tiles.picture, interpolation="nearest")
        axes.set_title(title, fontsize=13, parse_math=False)
        axes.set_axis_off()
        if tiles.tile[1] >= 5:
            for place, channel in enumerate(tiles.order):
                top, left = tiles.corner(place)
                axes.text(
                    left - 0.3,
                    top - 0.3,
                    str(channel),
                    fontsize=5.5,
                    color="white",
                    ha="left",
                    va="top",
                    bbox={"facecolor": "black", "alpha": 0.45, "pad": 0.6, "linewidth": 0},
                )
        if not note:
            scale = ScalarMappable(Normalize(*tiles.limits[0].tolist()), colors)
            figure.colorbar(scale, ax=axes, label=value, shrink=0.85, pad=0.01, aspect=30)
        else:
            figure.supxlabel(note, fontsize=9)
        figure.canvas.draw()
    return figure
