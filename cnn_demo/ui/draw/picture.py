"""The picture that is to be read: what all sources have in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.plots.png import data_url


@dataclass(frozen=True)
class Picture:
    """What is to be read.

    Attributes:
        image: ``(H, W, 4)``, ``(H, W, 3)`` or ``(H, W)`` uint8; None while there is nothing.
        key: changes with the picture.
        source: ``draw``, ``sample`` or ``upload``.
    """

    image: NDArray[np.uint8] | None
    key: str
    source: str


def make_picture(image: NDArray[np.uint8] | None, source: str) -> Picture:
    """The picture of a source, with a key that changes with its pixels."""
    if image is None:
        return Picture(None, f"{source}:nothing", source)
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).hexdigest()
    return Picture(image, f"{source}:{digest}", source)


def show_picture(pixels: NDArray[np.uint8], caption: str) -> None:
    """A picture at the pad's size, small ones with crisp pixels."""
    look = "pixelated" if max(pixels.shape[:2]) <= 64 else "auto"
    st.html(
        f'<figure class="draw-shown"><img src="{data_url(pixels)}" alt="{escape(caption)}" '
        f'style="image-rendering:{look}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
