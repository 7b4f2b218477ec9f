"""Photos of handwritten digits as the tests of this folder make them: paper, ruling, light, grain and a table."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 900


def write_digit(image: np.ndarray, height: int = 420, x: int = 250, y: int = 240) -> np.ndarray:
    """An MNIST image as ink on a sheet: ``(900, 900)`` in [0, 1], 1 for ink, its 28 pixels ``height`` wide."""
    large = Image.fromarray(image).resize((height, height), Image.Resampling.BICUBIC)
    soft = np.asarray(large, dtype=np.float64) / 255
    ink = np.zeros((SIDE, SIDE))
    ink[y : y + height, x : x + height] = np.clip((soft - 0.35) / 0.2, 0, 1)  # a pen has an edge
    return ink


def rule(spacing: float = 75, *, squared: bool = False, width: float = 3, turn: float = 0.0) -> np.ndarray:
    """Ruled or squared paper: ``(900, 900)`` in [0, 1], 1 on a line; turned by some degrees."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    angle = np.radians(turn)
    down, along = np.cos(angle) * rows - np.sin(angle) * columns, np.sin(angle) * rows + np.cos(angle) * columns

    def lines(across: np.ndarray) -> np.ndarray:
        away = np.abs((across + spacing / 3) % spacing - spacing / 2)
        return np.clip(width / 2 + 0.5 - away, 0, 1)

    return np.maximum(lines(down), lines(along)) if squared else lines(down)


def take_photo(ink: np.ndarray, lines: np.ndarray | float = 0.0, *, line: float = 0.3, pen: float = 0.75) -> np.ndarray:
    """A gray photo of a sheet in uneven light with grain: ``(900, 900)`` uint8.

    Args:
        ink: where the pen was, in [0, 1].
        lines: where the sheet is ruled, in [0, 1].
        line: the part of the light that a line takes.
        pen: the part that ink takes.
    """
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    light = 0.9 * (0.6 + 0.4 * columns) * (1 - 0.25 * rows)
    sheet = light * (1 - np.maximum(pen * ink, line * lines))
    grain = np.random.default_rng(5).normal(0, 0.015, sheet.shape)
    return (np.clip(sheet + grain, 0, 1) * 255).astype(np.uint8)


def lay_on_table(photo: np.ndarray, *, table: int = 45, share: float = 0.6, turn: float = 8.0) -> np.ndarray:
    """A sheet that lies turned on a dark table and takes a part of the picture's side: ``(900, 900)`` uint8."""
    side = int(SIDE * share)
    sheet = Image.fromarray(photo).resize((side, side), Image.Resampling.LANCZOS).convert("LA")
    turned = sheet.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    grain = np.random.default_rng(6).normal(table, 5, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain)
    at = (SIDE - turned.width) // 2 + 40, (SIDE - turned.height) // 2 - 30
    picture.paste(turned.getchannel("L"), at, turned.getchannel("A"))
    return np.asarray(picture)
