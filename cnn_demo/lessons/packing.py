"""A scene on its way to the browser: a length, JSON with the words of one language, and the numbers as float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from cnn_demo.inspect.scene import ArrayPacker, join_message
from cnn_demo.lessons.panels import Panel
from cnn_demo.lessons.words import Translate, Words
from cnn_demo.plots.tiles import DIVERGING, SEQUENTIAL, color_table


def pack_rows(rows: Sequence[Sequence[Panel]], translate: Translate, header: Mapping[str, Any]) -> bytes:
    """Rows of panels for the component ``stage``.

    Args:
        rows: as in a scene.
        translate: to the visitor's language.
        header: what else the component needs: its words, an id, which controls may be changed.

    Returns:
        A message as that of ``inspect.scene.join_message``; there an array is its ``shape`` and its place, ``at``.
    """
    arrays = ArrayPacker()
    plain = [[_plain(panel, translate, arrays) for panel in row] for row in rows]
    tables = {name: arrays.add(color_table(color_map)) for name, color_map in _COLORS.items()}
    return join_message({**header, "rows": plain, "tables": tables}, arrays)


_COLORS = {"sequential": SEQUENTIAL, "diverging": DIVERGING, "gray": "gray"}


def _plain(value: Any, translate: Translate, arrays: ArrayPacker) -> Any:
    if isinstance(value, Words):
        return value.fill(translate)
    if isinstance(value, np.ndarray):
        kind = np.uint8 if value.dtype == np.bool_ else np.float32
        return {"shape": value.shape, "at": arrays.add(np.ascontiguousarray(value, kind))}
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if hasattr(value, "__dataclass_fields__"):
        found = {field.name: _plain(getattr(value, field.name), translate, arrays) for field in fields(value)}
        return {"kind": type(value).__name__, **found}
    if isinstance(value, list | tuple):
        return [_plain(part, translate, arrays) for part in value]
    return value
