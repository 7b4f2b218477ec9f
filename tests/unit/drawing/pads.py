"""Pad pictures for the tests of this folder, and how alike two pictures are."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare

MNIST = get_spec("mnist")
Points = Sequence[tuple[float, float]]

SEVEN: Sequence[Points] = [[(60, 60), (200, 60), (120, 230)]]
OVAL = [(140 + 70 * np.cos(a), 140 + 100 * np.sin(a)) for a in np.linspace(0, 6.3, 40)]


def pad(strokes: Sequence[Points], pen: int = 18, side: int = 280, paper: int = 0, ink: int = 255) -> np.ndarray:
    """An opaque RGBA canvas with round strokes."""
    image = Image.new("L", (side, side), paper)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        draw.line(list(stroke), fill=ink, width=pen)
        for x, y in stroke:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)
    gray = np.asarray(image)
    return np.dstack([gray, gray, gray, np.full_like(gray, 255)])


def moved(strokes: Sequence[Points], dx: float = 0, dy: float = 0, factor: float = 1) -> list[Points]:
    return [[(x * factor + dx, y * factor + dy) for x, y in stroke] for stroke in strokes]


def field(picture: np.ndarray | Image.Image) -> np.ndarray:
    return prepare(picture, MNIST).stages[-1].image


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two pictures."""
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def png(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def jpeg(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, **options)
    return file.getvalue()
