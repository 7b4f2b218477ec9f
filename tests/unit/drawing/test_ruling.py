"""Lines of ruled and squared paper go, the digit stays: the same digit on plain paper is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cnn_demo.datasets.load import load_dataset
from cnn_demo.drawing import ruling
from cnn_demo.drawing.prepare import prepare
from cnn_demo.drawing.ruling import remove_ruling
from tests.unit.drawing.pads import MNIST, alike, field
from tests.unit.drawing.photos import rule, take_photo, write_digit


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist-mini").test.images[:8, 0].numpy()  # (8, 28, 28)


@pytest.mark.parametrize(
    ("squared", "turn", "width", "line"), [(False, -2, 4, 0.45), (True, -3, 4, 0.45), (True, 5, 3, 0.3)]
)
def test_a_photo_of_ruled_paper(digits: np.ndarray, squared: bool, turn: float, width: float, line: float) -> None:
    lines = rule(60, squared=squared, turn=turn, width=width)
    for digit in digits:
        ink = write_digit(digit)
        drawing = prepare(take_photo(ink, lines, line=line), MNIST)
        assert alike(drawing.stages[-1].image, field(take_photo(ink))) > 0.85  # some come to lie a pixel beside
        assert "ruled" in drawing.warnings
        assert not {"thin", "edge", "several", "empty"} & set(drawing.warnings)


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_paper_in_even_light(digits: np.ndarray, squared: bool) -> None:
    for digit in digits:
        ink = write_digit(digit, 260, 300, 300)
        sheet = 250 * (1 - np.maximum(0.85 * ink, 0.3 * rule(45, squared=squared)))
        drawing = prepare(sheet.astype(np.uint8), MNIST)
        assert alike(drawing.stages[-1].image, field((250 * (1 - 0.85 * ink)).astype(np.uint8))) > 0.95
        assert "ruled" in drawing.warnings


def test_only_the_lines_go() -> None:
    lines = (0.3 * rule(60, width=2)).astype(np.float32)[:500, :500]
    dark = lines.copy()
    dark[100:400, 240:262] = 0.8  # an upright stroke crosses them
    clean, ruled = remove_ruling(dark)
    assert ruled
    stroke = np.zeros_like(dark, dtype=bool)
    stroke[100:400, 240:262] = True
    np.testing.assert_allclose(clean[stroke], 0.8, atol=1e-6)
    assert clean[~stroke].max() < 0.05


@pytest.mark.parametrize("bars", [1, 2])
def test_bars_of_a_digit_are_no_lines_of_the_paper(bars: int) -> None:
    dark = np.zeros((300, 300), np.float32)
    dark[60:68, 10:290] = 0.8
    if bars == 2:
        dark[200:208, 10:290] = 0.8
    clean, ruled = remove_ruling(dark)
    assert not ruled
    assert clean is dark


def test_digits_without_lines_are_left_alone(digits: np.ndarray) -> None:
    for digit in digits:
        assert "ruled" not in prepare(take_photo(write_digit(digit, 880, 10, 10)), MNIST).warnings
        assert "ruled" not in prepare(digit.repeat(10, 0).repeat(10, 1), MNIST).warnings


def test_what_is_passed_over_holds_no_line(digits: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search at every angle, which most drawings are spared, finds nothing else."""
    photos = [take_photo(write_digit(digit), rule(60, squared=True, turn=turn)) for turn, digit in enumerate(digits)]
    sheets = [np.asarray(photo, dtype=np.float32).reshape(*photo.shape[:2], -1).mean(axis=2) / 255 for photo in photos]
    pads = [np.kron(digit, np.ones((10, 10))).astype(np.float32) / 255 for digit in digits]
    pictures = [*(1 - sheet for sheet in sheets), *pads]
    quick = [remove_ruling(picture) for picture in pictures]
    searched: list[int] = []

    def search_all(strips: np.ndarray) -> bool:
        searched.append(len(strips))
        return True

    monkeypatch.setattr(ruling, "_may_hold_line", search_all)
    for picture, (clean, ruled) in zip(pictures, quick, strict=True):
        thorough, found = remove_ruling(picture)
        np.testing.assert_array_equal(clean, thorough)
        assert ruled == found
    assert searched
    assert {ruled for _, ruled in quick} == {True, False}


def test_what_is_thin_is_the_same_as_of_the_whole_picture() -> None:
    dark = np.zeros((120, 150), np.float32)
    dark[40:43, 20:90] = 0.5
    dark[60:100, 70:80] = 0.9
    for picture in (dark, dark.T, dark + np.float32(0.1), dark[41:, 60:]):
        expected = picture - ndimage.grey_opening(picture, (7, 1))
        np.testing.assert_array_equal(ruling._find_thin(picture, 7), expected)
    assert ruling._find_thin(dark, 7)[41, 30] == 0.5
