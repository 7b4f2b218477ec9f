"""From pictures to network input: MNIST is the oracle for its own rule, Pillow and torchvision for the rest."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torchvision import transforms

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import MAX_UPLOAD_BYTES, WARNINGS, DrawingError, open_image, prepare, stage_inputs

MNIST = get_spec("mnist")
Points = list[tuple[float, float]]

SEVEN: list[Points] = [[(60, 60), (200, 60), (120, 230)]]


def pad(strokes: list[Points], pen: int = 18, side: int = 280, paper: int = 0, ink: int = 255) -> np.ndarray:
    """An opaque RGBA canvas with round strokes."""
    image = Image.new("L", (side, side), paper)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        draw.line(stroke, fill=ink, width=pen)
        for x, y in stroke:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)
    gray = np.asarray(image)
    return np.dstack([gray, gray, gray, np.full_like(gray, 255)])


def moved(strokes: list[Points], dx: float = 0, dy: float = 0, factor: float = 1) -> list[Points]:
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


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist-mini").test.images[::5, 0].numpy()  # (400, 28, 28)


def test_mnist_images_are_fixed_points(digits: np.ndarray) -> None:
    for digit in digits:
        drawing = prepare(open_image(png(Image.fromarray(digit))), MNIST)
        # An image whose brightest pixel is 254 is stretched by that one level.
        np.testing.assert_allclose(drawing.stages[-1].image, digit / 255, atol=1.01 / 255)


def test_mnist_images_come_back_from_a_large_picture(digits: np.ndarray) -> None:
    for digit in digits[:40]:
        large = np.pad(digit.repeat(7, 0).repeat(7, 1), ((60, 10), (5, 40)))
        assert alike(field(large), digit / 255) > 0.985


def test_input_is_what_torchvision_makes_of_the_last_stage(digits: np.ndarray) -> None:
    drawing = prepare(pad(SEVEN), MNIST)
    last = drawing.stages[-1].image
    expected = transforms.Normalize(MNIST.mean, MNIST.std)(torch.from_numpy(last)[None])
    torch.testing.assert_close(drawing.input[0], expected)
    assert drawing.input.shape == (1, 1, 28, 28)
    assert drawing.input.dtype == torch.float32


def test_the_rule_of_mnist() -> None:
    for strokes in (SEVEN, moved(SEVEN, 30, 20, 0.5), [[(40, 140), (240, 140)]]):
        image = field(pad(strokes))
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        assert abs(np.average(rows, weights=image[rows, columns]) - 14) <= 0.501
        assert abs(np.average(columns, weights=image[rows, columns]) - 14) <= 0.501
        assert image.max() == 1
        assert image.min() == 0


def test_place_on_the_pad_does_not_matter() -> None:
    small = moved(SEVEN, factor=0.5)
    np.testing.assert_array_equal(field(pad(moved(small, 5, 7))), field(pad(moved(small, 120, 90))))


def test_size_on_the_pad_hardly_matters() -> None:
    assert alike(field(pad(SEVEN, pen=20)), field(pad(moved(SEVEN, 90, 40, 0.4), pen=8))) > 0.98


def test_stages_tell_the_way() -> None:
    drawing = prepare(pad(SEVEN, paper=255, ink=0), MNIST)
    assert [s.name for s in drawing.stages] == ["luminance", "ink", "squeezed", "crop", "box", "centered"]
    assert all(s.image.dtype == np.float32 and s.title for s in drawing.stages)
    np.testing.assert_array_equal(drawing.stage("luminance").image, 1 - drawing.stage("ink").image)
    ink = Image.fromarray(drawing.stage("ink").image)
    squeezed = np.asarray(ink.reduce(10))  # 280 -> 28, each pixel the mean of a hundred
    np.testing.assert_allclose(drawing.stage("squeezed").image, squeezed, atol=1e-6)
    assert max(drawing.stage("box").image.shape) == 20
    inputs = stage_inputs(drawing, MNIST)
    assert inputs.shape == (6, 1, 28, 28)
    torch.testing.assert_close(inputs[-1:], drawing.input)
    with pytest.raises(KeyError):
        drawing.stage("none")


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 90), (200, 40), (30, 255)])
def test_either_shade_of_paper_and_ink(paper: int, ink: int) -> None:
    drawing = prepare(pad(SEVEN, paper=paper, ink=ink), MNIST)
    assert alike(drawing.stages[-1].image, field(pad(SEVEN))) > 0.999
    assert ("inverted" in drawing.warnings) == (paper > ink)


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


def _jpeg(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


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
    "jpeg": lambda g: _jpeg(Image.fromarray(g)),
    "cmyk jpeg": lambda g: _jpeg(Image.fromarray(g).convert("CMYK")),
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
    data = _jpeg(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert alike(field(open_image(data)), field(upright)) > 0.99


def _photo(strokes: list[Points], *, dark_paper: bool = False) -> np.ndarray:
    """A sheet in uneven light, with grain, a table edge, and ink that is not black."""
    rng = np.random.default_rng(3)
    ink = np.asarray(Image.fromarray(pad(strokes, pen=14)[..., 0]).resize((900, 900)), dtype=np.float64) / 255
    ink = np.pad(ink, ((100, 200), (0, 0)))  # (1200, 900)
    y, x = np.mgrid[:1200, :900]
    light = 0.35 + 0.5 * (x / 900) * (1 - 0.5 * y / 1200)
    if dark_paper:
        picture = light * (0.15 + 0.7 * ink)
    else:
        picture = light * (1 - 0.7 * ink)
        picture[1140:] = 0.12  # the table
    picture = picture + rng.normal(0, 0.02, picture.shape)
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("dark_paper", [False, True])
def test_a_photo_in_uneven_light(dark_paper: bool) -> None:
    for strokes in (SEVEN, [[(90, 60), (60, 150), (210, 150)], [(180, 90), (170, 230)]]):
        drawing = prepare(_photo(strokes, dark_paper=dark_paper), MNIST)
        assert "photo" in drawing.warnings
        assert ("inverted" in drawing.warnings) == (not dark_paper)
        assert alike(drawing.stages[-1].image, field(pad(strokes, pen=14))) > 0.93


def test_a_faint_pencil_line_in_uneven_light() -> None:
    rng = np.random.default_rng(1)
    ink = pad(SEVEN, pen=4, side=400)[..., 0] / 255
    light = 0.5 + 0.4 * np.arange(400) / 400
    sheet = light * (1 - 0.35 * ink) + rng.normal(0, 0.006, (400, 400))
    drawing = prepare((sheet * 255).astype(np.uint8), MNIST)
    assert "photo" in drawing.warnings
    assert alike(drawing.stages[-1].image, field(pad(SEVEN, pen=4, side=400))) > 0.9


def test_an_empty_sheet_in_uneven_light_is_empty() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(300)
    sheet = 0.5 + 0.3 * x / 300 + rng.normal(0, 0.015, (400, 300))
    assert prepare((sheet * 255).astype(np.uint8), MNIST).empty


@pytest.mark.parametrize("shade", [0, 255, 128])
def test_an_empty_pad(shade: int) -> None:
    drawing = prepare(pad([], paper=shade), MNIST)
    assert drawing.empty
    assert "empty" in drawing.warnings
    assert drawing.stages[-1].image.max() == 0
    assert drawing.input.shape == (1, 1, 28, 28)
    assert torch.isfinite(drawing.input).all()


BAR, BODY = [(110, 50), (200, 45)], [(90, 60), (85, 130), (150, 120), (190, 170), (150, 230), (80, 220)]
OVAL = [(140 + 70 * np.cos(a), 140 + 100 * np.sin(a)) for a in np.linspace(0, 6.3, 40)]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (pad(SEVEN), set()),
        (pad([[(140, 140)]], pen=20), {"dot"}),
        (pad(SEVEN, pen=3), {"thin"}),
        (pad([[(140, -5), (140, 200)]]), {"edge"}),
        (pad(moved(SEVEN, 240, 5, 0.1), pen=3), {"tiny"}),
        (pad([[(70, 60), (70, 220)], [(200, 60), (205, 220)]]), {"several"}),
        (pad([*moved(SEVEN, 0, 60, 0.7), [(260, 30)]], pen=10), {"speck"}),
        (pad([BAR, BODY]), set()),
        (pad([OVAL, [(140, 140), (141, 141)]], pen=14), set()),
        (pad([OVAL, [(70, 230), (210, 50)]], pen=14), set()),
        (pad(moved(SEVEN, -50, -63, 1.4), pen=24), set()),
    ],
)
def test_warnings(picture: np.ndarray, expected: set[str]) -> None:
    drawing = prepare(picture, MNIST)
    assert set(drawing.warnings) == expected
    assert set(drawing.warnings) <= set(WARNINGS)
    assert drawing.stages[-1].image.max() == pytest.approx(1)
    assert not drawing.empty


def test_a_speck_does_not_shrink_the_digit() -> None:
    strokes = moved(SEVEN, 0, 60, 0.7)
    np.testing.assert_array_equal(field(pad([*strokes, [(260, 30)]], pen=10)), field(pad(strokes, pen=10)))


def test_a_thin_pen_does_not_fade() -> None:
    image = field(pad(SEVEN, pen=2))
    assert image.max() == 1
    assert (image > 0.5).sum() > 20


def test_a_digit_cut_by_the_edge_or_filling_the_pad_is_read_whole() -> None:
    for strokes in (moved(SEVEN, -62, -70, 1.5), moved(SEVEN, 90, 0)):
        image = field(pad(strokes, pen=24))
        assert max(np.ptp(np.nonzero(image)[0]), np.ptp(np.nonzero(image)[1])) + 1 == 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 3), (28, 28), (2000, 40)])
def test_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    picture = np.zeros(shape, dtype=np.uint8)
    picture[: max(shape[0] // 2, 1), : max(shape[1] // 3, 1)] = 255
    assert prepare(picture, MNIST).input.shape == (1, 1, 28, 28)


# -- what is refused ---------------------------------------------------------------------------------------------


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
        (_truncated(_jpeg(Image.fromarray(pad(SEVEN)[..., 0]))), "broken"),
        (_bomb(9000, 9000), "too_many_pixels"),
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


# -- other data sets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist", "cifar10"])
def test_other_data_sets_are_resized_and_not_centered(name: str) -> None:
    spec = get_spec(name)
    rng = np.random.default_rng(0)
    shape = (spec.size, spec.size, 3) if spec.channels == 3 else (spec.size, spec.size)
    own = rng.integers(0, 256, shape, dtype=np.uint8)
    drawing = prepare(own, spec)
    expected = transforms.Compose([transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)])(own)
    torch.testing.assert_close(drawing.input[0], expected)
    corner = pad(moved(SEVEN, 0, 0, 0.4), side=spec.size * 10)
    last = prepare(corner, spec).stages[-1].image
    gray = Image.fromarray(corner).convert("RGB" if spec.channels == 3 else "L").reduce(10)
    np.testing.assert_allclose(last, np.asarray(gray, dtype=np.float32) / 255, atol=0.6 / 255)


def test_light_paper_is_inverted_for_gray_data_sets_only() -> None:
    paper = pad(SEVEN, paper=255, ink=0)
    assert prepare(paper, get_spec("kmnist")).stages[-1].image[0, 0] == 0
    assert prepare(paper, get_spec("cifar10")).stages[-1].image[0, 0].tolist() == [1, 1, 1]
    assert prepare(pad([]), get_spec("cifar10")).empty
