"""Files and arrays of every kind, and those that are refused: Pillow and the plain picture are the oracles."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_demo.drawing.pictures import MAX_UPLOAD_BYTES, DrawingError, as_picture, open_image
from cnn_demo.drawing.prepare import prepare
from tests.unit.drawing.pads import MNIST, SEVEN, alike, field, jpeg, pad, png


@pytest.mark.parametrize("color", [255, 0])
def test_ink_on_a_transparent_canvas(color: int) -> None:
    canvas = pad(SEVEN)
    canvas[..., 3] = canvas[..., 0]
    canvas[..., :3] = color
    np.testing.assert_allclose(field(canvas), field(pad(SEVEN)), atol=0.01)
    canvas[..., 3] = 0
    assert prepare(canvas, MNIST).empty


def test_transparent_corners_are_paper() -> None:
    sheet = pad(SEVEN, paper=240, ink=20)
    sheet[:25, :25] = 0
    np.testing.assert_allclose(field(sheet), field(pad(SEVEN)), atol=0.01)


def _sixteen_bits(gray: np.ndarray) -> bytes:
    return png(Image.fromarray(gray.astype(np.uint16) * 257))


def _ten_bits(gray: np.ndarray) -> bytes:
    return png(Image.fromarray(gray.astype(np.uint16) * 4))


def _animated(gray: np.ndarray) -> bytes:
    other = Image.fromarray(255 - gray)
    return png(Image.fromarray(gray), save_all=True, append_images=[other], duration=100)


FORMATS = {
    "gray": lambda g: png(Image.fromarray(g)),
    "rgb": lambda g: png(Image.fromarray(g).convert("RGB")),
    "palette": lambda g: png(Image.fromarray(g).convert("P")),
    "palette with a transparent ground": lambda g: png(Image.fromarray(g).convert("P"), transparency=0),
    "gray with alpha": lambda g: png(Image.fromarray(g).convert("LA")),
    "one bit": lambda g: png(Image.fromarray(g).convert("1")),
    "sixteen bits": _sixteen_bits,
    "ten bits": _ten_bits,
    "animated": _animated,
    "jpeg": lambda g: jpeg(Image.fromarray(g)),
    "cmyk jpeg": lambda g: jpeg(Image.fromarray(g).convert("CMYK")),
}


@pytest.mark.parametrize("name", FORMATS)
def test_file_formats(name: str, tmp_path: Path) -> None:
    gray = pad(SEVEN)[..., 0]
    path = tmp_path / "seven"
    path.write_bytes(FORMATS[name](gray))
    result = field(open_image(path))
    np.testing.assert_allclose(result, field(gray), atol=0.12 if "jpeg" in name else 0.01)


@pytest.mark.parametrize("kind", [np.bool_, np.uint16, np.float32, np.float64])
def test_arrays_of_other_types(kind: type) -> None:
    gray = pad(SEVEN)[..., 0]
    top = {np.bool_: 1, np.uint16: 65535}.get(kind, 1.0)
    np.testing.assert_allclose(field((gray // 255).astype(kind) * kind(top)), field(gray), atol=1e-6)


def test_a_photo_is_turned_upright() -> None:
    upright = Image.fromarray(pad(SEVEN)[..., 0])
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to show"
    data = jpeg(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert alike(field(open_image(data)), field(upright)) > 0.99


def _bomb(width: int, height: int) -> bytes:
    """A PNG header that promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def _gif() -> bytes:
    file = io.BytesIO()
    Image.fromarray(pad(SEVEN)[..., 0]).save(file, "GIF")
    return file.getvalue()


def _truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "not_a_picture"),
        (b"seven", "not_a_picture"),
        (_gif(), "not_a_picture"),
        (_truncated(png(Image.fromarray(pad(SEVEN)))), "broken"),
        (_truncated(jpeg(Image.fromarray(pad(SEVEN)[..., 0]))), "broken"),
        (_bomb(7000, 7000), "too_many_pixels"),  # as JPEG it would be decoded to an eighth
        (_bomb(60000, 60000), "too_many_pixels"),
        (_bomb(300, 300), "broken"),
        (_bomb(0, 10), "not_a_picture"),
        (b"\x89PNG" + bytes(MAX_UPLOAD_BYTES), "too_many_bytes"),
    ],
)
def test_files_that_are_refused(data: bytes, kind: str, tmp_path: Path) -> None:
    with pytest.raises(DrawingError) as caught:
        open_image(data)
    assert caught.value.kind == kind
    path = tmp_path / "digit.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"digit\.png"):
        open_image(path)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.zeros((0, 10), np.uint8), "no_pixels"),
        (np.zeros((0, 10, 4), np.uint8), "no_pixels"),
        (np.zeros((10, 10, 2), np.uint8), "bad_array"),
        (np.zeros(10, np.uint8), "bad_array"),
        (np.full((10, 10), 2.0), "bad_array"),
        (np.full((10, 10), np.nan), "bad_array"),
        (np.zeros((10, 10), np.int64), "bad_array"),
    ],
)
def test_arrays_that_are_refused(array: np.ndarray, kind: str) -> None:
    with pytest.raises(DrawingError) as caught:
        prepare(array, MNIST)
    assert caught.value.kind == kind


def test_a_lazily_opened_broken_file_is_refused() -> None:
    lazy = Image.open(io.BytesIO(_truncated(png(Image.fromarray(pad(SEVEN))))))
    with pytest.raises(DrawingError):
        prepare(lazy, MNIST)


@pytest.mark.parametrize(
    ("size", "expected"), [((512, 300), (512, 300)), ((513, 300), (257, 150)), ((2000, 10), (500, 3))]
)
def test_large_pictures_are_reduced_to_the_working_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert as_picture(Image.new("L", size)).size == expected
