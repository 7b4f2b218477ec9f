"""Attention over an image: point at a token and see what each head takes from where.

The weights of one block arrive once; pointing needs nothing more. A click or a key is reported as the state value
``pick``, so that the page can say the same in words.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from cnn_demo.plots.png import data_url
from cnn_demo.ui.components.stage import DRAWING_JS, read_files
from cnn_demo.ui.shared.i18n import _

_FOLDER = Path(__file__).resolve().parent

_attention = st.components.v2.component(
    "cnn_lab_attention",
    html='<div class="attention"></div>',
    css=read_files(_FOLDER, "attention.css"),
    js=DRAWING_JS + read_files(_FOLDER, "attention.js"),
)


@dataclass(frozen=True)
class AttentionView:
    """What is shown.

    Attributes:
        image: ``(H, W, 3)`` uint8.
        weights: ``(heads, T, T)`` float32: head, query, key.
        rows, cols: of the grid of tokens.
        extra: tokens in front of the grid's: 1 where there is a class token, else 0.
        corner: where the first token's square begins in the image, (row, column) in pixels; it may lie outside.
        side: height and width of a token's square in pixels.
    """

    image: np.ndarray
    weights: np.ndarray
    rows: int
    cols: int
    extra: int
    corner: tuple[float, float]
    side: tuple[float, float]


def show_attention(view: AttentionView, token: int, head: int, key: str, on_pick: Callable[[], None]) -> None:
    """Show the image with the weights of one token, and all heads beside it.

    Args:
        view: image and weights.
        token: the query to begin with, 0 to T − 1.
        head: the head to begin with; −1 is the mean of all.
        key: of the component; ``st.session_state[key]["pick"]`` has ``token`` and ``head`` after a click.
        on_pick: called before the script runs again.
    """
    data: dict[str, Any] = {
        "image": data_url(view.image),
        "size": view.image.shape[:2],
        "weights": base64.b64encode(view.weights.astype("<f4").tobytes()).decode("ascii"),
        "heads": view.weights.shape[0],
        "tokens": view.weights.shape[1],
        "rows": view.rows,
        "cols": view.cols,
        "extra": view.extra,
        "corner": view.corner,
        "side": view.side,
        "pick": {"token": token, "head": head},
        "words": {
            "image": _(
                "The image, divided into {rows} × {cols} tokens. Arrow keys choose another token, Home the class token."
            ),
            "heads": _("Heads"),
            "mean": _("Mean of all"),
            "head": _("Head {n}"),
            "class_token": _("class token"),
            "token": _("token ({y}, {x})"),
            "asks": _("Asked by: {token}"),
            "gets": _("From the {token}: {weight}"),
            "scale": _("0 to {weight}, the largest"),
        },
    }
    _attention(data=data, key=key, default={"pick": None}, on_pick_change=on_pick)
