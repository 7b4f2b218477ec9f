"""Arrays to PNG pictures: the only place that encodes them."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png_bytes(array: NDArray[np.uint8]) -> bytes:
    """Encode a picture as a PNG file. Lightly compressed: writing quickly matters more than the last bytes.

    Args:
        array: uint8, ``(H, W)`` gray, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA.

    Raises:
        ValueError: an array of another kind.
    """
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(
            f"array of {array.dtype} {array.shape}: expected uint8 (H, W), (H, W, 3) or (H, W, 4); scale it to 0..255"
        )
    out = io.BytesIO()
    Image.fromarray(array).save(out, format="PNG", compress_level=1)
    return out.getvalue()


def data_url(array: NDArray[np.uint8]) -> str:
    """Encode a picture as a ``data:`` URL (PNG); ``array`` as for :func:`png_bytes`."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(array)).decode("ascii")
