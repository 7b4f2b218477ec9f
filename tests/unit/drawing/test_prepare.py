"""From pictures to network input: MNIST is the oracle for its own rule, Pillow and torchvision for the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.pictures import open_image
from cnn_demo.drawing.prepare import prepare, stage_inputs
from cnn_demo.drawing.stages import WARNINGS
from tests.unit.drawing.pads import MNIST, OVAL, SEVEN, alike, field, moved, pad, png


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


@pytest.mark.parametrize("shade", [0, 255, 128])
def test_an_empty_pad(shade: int) -> None:
    drawing = prepare(pad([], paper=shade), MNIST)
    assert drawing.empty
    assert "empty" in drawing.warnings
    assert drawing.stages[-1].image.max() == 0
    assert drawing.input.shape == (1, 1, 28, 28)
    assert torch.isfinite(drawing.input).all()


BAR, BODY = [(110, 50), (200, 45)], [(90, 60), (85, 130), (150, 120), (190, 170), (150, 230), (80, 220)]


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
