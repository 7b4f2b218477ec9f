"""From a file or an array to a picture of 8 bits: what is refused, and how rare formats are converted."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_UPLOAD_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_PNG_PIXELS = 16_000_000  # the decoder makes all of them, four bytes each; a JPEG's makes an eighth of the side
WORKING_SIDE = 512  # pictures with a longer side are reduced to it: a digit becomes 20 pixels in the end

_FORMATS = ("PNG", "JPEG")


class DrawingError(ValueError):
    """A picture that cannot be used.

    Attributes:
        kind: ``too_many_bytes``, ``too_many_pixels``, ``not_a_picture``, ``broken``, ``no_pixels`` or ``bad_array``.
        detail: what was found, in English.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


def open_image(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """Read a PNG or JPEG, upright (EXIF orientation applied) and decoded.

    The longer side of a JPEG is about 1,000 to 2,000 pixels where the file has more. Of an animated PNG it is the
    default picture.

    Args:
        source: a path, or the bytes of a file.

    Raises:
        DrawingError: more than 25 MB, 50 million pixels (16 million in a PNG), no PNG or JPEG, or a damaged file.
        OSError: the path cannot be read.
    """
    name = "the upload" if isinstance(source, bytes) else Path(source).name
    size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
    if size > MAX_UPLOAD_BYTES:
        raise DrawingError("too_many_bytes", f"{name} has {size:,} bytes: at most {MAX_UPLOAD_BYTES:,} are accepted")
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_pixels(image.size, name, MAX_PNG_PIXELS if image.format == "PNG" else MAX_PIXELS)
            # A JPEG decodes straight to a half, quarter or eighth of its size.
            image.draft(image.mode, (2 * WORKING_SIDE, 2 * WORKING_SIDE))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image
    except DrawingError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        kind = "too_many_pixels" if isinstance(error, Image.DecompressionBombError) else "not_a_picture"
        raise DrawingError(kind, f"{name} is no PNG or JPEG that can be read") from error
    # Pillow's decoders raise these on damaged data; SyntaxError stands for a broken PNG.
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise DrawingError("broken", f"{name} is damaged: {error}") from error


def decode_picture(source: bytes | NDArray[np.uint8], *, side: int = WORKING_SIDE) -> NDArray[np.uint8]:
    """The picture in the bytes of a file, or a picture that is an array already, with its longer side bounded.

    Args:
        source: a PNG or JPEG; or ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` uint8.
        side: the most pixels of the longer side.

    Returns:
        ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` uint8.

    Raises:
        DrawingError: as for :func:`open_image` and :func:`as_picture`.
    """
    picture = as_picture(open_image(source) if isinstance(source, bytes) else source, side=side)
    if picture.mode == "LA":  # the one mode whose array is no picture
        picture = picture.convert("RGBA")
    return np.asarray(picture)


def _check_pixels(size: tuple[int, int], name: str, most: int = MAX_PIXELS) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DrawingError("no_pixels", f"{name} has no pixels: {width} × {height}")
    if width * height > most:
        raise DrawingError("too_many_pixels", f"{name} has {width} × {height} pixels: at most {most:,} are accepted")


def as_picture(image: NDArray[np.generic] | Image.Image, *, side: int = WORKING_SIDE) -> Image.Image:
    """Any array or Pillow image as mode L, RGB, LA or RGBA with 8 bits, its longer side at most ``side`` pixels.

    Args:
        image: ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``: bool, uint8 (0..255), uint16 (0..65,535) or
            float in [0, 1]; or a Pillow image of any mode (1, L, LA, P, RGB, RGBA, CMYK, YCbCr, I;16, I, F ...).
        side: the most pixels of the longer side.

    Raises:
        DrawingError: no pixels, too many, a shape or type that is no picture, or a lazily opened file that is damaged.
    """
    picture = (
        _convert_pillow(image)
        if isinstance(image, Image.Image)
        else Image.fromarray(_convert_to_8_bits(np.asarray(image)))
    )
    _check_pixels(picture.size, "the picture")
    factor = -(-max(picture.size) // side)
    return picture.reduce(factor) if factor > 1 else picture


def _convert_to_8_bits(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise DrawingError("bad_array", f"an array of shape {array.shape}: expected (H, W), (H, W, 3) or (H, W, 4)")
    if array.size == 0:
        raise DrawingError("no_pixels", f"an array of shape {array.shape} has no pixels")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, dtype=np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return (array.astype(np.float32) / 257 + 0.5).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float32)
        if np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
            return (values * 255 + 0.5).astype(np.uint8)
        raise DrawingError("bad_array", "an array of floats outside [0, 1]: expected 0 for black to 1 for white")
    raise DrawingError("bad_array", f"an array of {array.dtype}: expected bool, uint8, uint16 or float")


def _convert_pillow(image: Image.Image) -> Image.Image:
    _check_pixels(image.size, "the picture")
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DrawingError("broken", f"the picture is damaged: {error}") from error
    if image.mode in ("L", "RGB", "LA", "RGBA"):
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_stretch_to_8_bits(np.asarray(image, dtype=np.float64)))
    if image.mode == "P" or "transparency" in image.info or image.mode in ("PA", "La", "RGBa"):
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _stretch_to_8_bits(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Deep grayscale to 8 bits.

    A 10- or 12-bit scan sits in the low bits of a 16-bit file, so the largest value decides how many bits count.
    """
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = min(float(values.min()), 0.0), float(values.max())
    full = next((2.0**bits - 1 for bits in (8, 10, 12, 16) if high <= 2**bits - 1), high)
    return ((values - low) * (255 / max(full - low, 1e-9)) + 0.5).astype(np.uint8)


def flatten(picture: Image.Image) -> Image.Image:
    """An opaque picture, L or RGB.

    Where most of the picture is transparent, its opaque part is the ink and gets a contrasting ground: black under a
    light pen, white under a dark one. Where only corners are transparent, they get the median of the rest.
    """
    if picture.mode not in ("LA", "RGBA"):
        return picture
    alpha = picture.getchannel("A")
    plain = picture.convert("L" if picture.mode == "LA" else "RGB")
    lowest = alpha.getextrema()[0]
    if lowest == 255:
        return plain
    opacity = np.asarray(alpha, dtype=np.float32)
    gray = np.asarray(plain.convert("L"), dtype=np.float32)
    if opacity.mean() < 127:
        ink = float((gray * opacity).sum() / max(float(opacity.sum()), 1.0))
        ground = 0 if ink >= 127 else 255
    else:
        ground = int(np.median(gray[opacity > 127]))
    paper = Image.new(plain.mode, plain.size, ground if plain.mode == "L" else (ground,) * 3)
    return Image.composite(plain, paper, alpha)
