"""A sheet on a dark table is found, and what is no sheet is not: the same photo without a table is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_demo.datasets.load import load_dataset
from cnn_demo.drawing.prepare import prepare
from cnn_demo.drawing.sheet import find_sheet
from tests.unit.drawing.pads import MNIST, OVAL, SEVEN, alike, field, pad
from tests.unit.drawing.photos import SIDE, lay_on_table, rule, take_photo, write_digit


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist-mini").test.images[:8, 0].numpy()  # (8, 28, 28)


@pytest.mark.parametrize(("turn", "share"), [(8, 0.6), (-20, 0.4), (0, 0.8)])
def test_what_is_written_on_a_sheet_on_a_dark_table(digits: np.ndarray, turn: float, share: float) -> None:
    for digit in digits:
        photo = take_photo(write_digit(digit))
        drawing = prepare(lay_on_table(photo, turn=turn, share=share), MNIST)
        upright = Image.fromarray(photo).rotate(turn, Image.Resampling.BICUBIC, fillcolor=140)
        assert alike(drawing.stages[-1].image, field(np.asarray(upright)[60:-60, 60:-60])) > 0.8
        assert {"sheet", "inverted"} <= set(drawing.warnings)
        assert not {"dot", "edge", "empty", "several"} & set(drawing.warnings)


def test_ruled_paper_on_a_table_in_even_light(digits: np.ndarray) -> None:
    likeness = []
    for digit in digits:
        ink = write_digit(digit)
        sheet = (250 * (1 - np.maximum(0.85 * ink, 0.3 * rule(60)))).astype(np.uint8)
        drawing = prepare(np.pad(sheet, 200, constant_values=40), MNIST)
        likeness.append(alike(drawing.stages[-1].image, field((250 * (1 - 0.85 * ink)).astype(np.uint8))))
        assert {"sheet", "ruled"} <= set(drawing.warnings)
    assert min(likeness) > 0.8  # some come to lie a pixel beside
    assert np.mean(likeness) > 0.92


def test_a_blank_sheet_on_a_table_is_blank() -> None:
    assert prepare(lay_on_table(take_photo(np.zeros((SIDE, SIDE)))), MNIST).empty


def test_what_is_no_sheet(digits: np.ndarray) -> None:
    rows, columns = np.mgrid[:450, :450].astype(np.float32) / 450
    assert find_sheet(np.asarray(0.2 + 0.7 * columns, np.float32)) is None  # light that falls off
    for digit in digits:
        chalk = (0.2 + 0.6 * write_digit(digit, 700, 100, 100)[::2, ::2]).astype(np.float32)
        assert find_sheet(chalk) is None
        assert find_sheet(np.asarray(take_photo(write_digit(digit))[::2, ::2] / 255, np.float32)) is None
    disc = np.where((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.1, 0.9, 0.1).astype(np.float32)
    assert find_sheet(disc.astype(np.float32)) is None
    one = np.full((450, 450), 0.1, np.float32)
    one[50:400, 190:260] = 0.9  # a thick written 1
    assert find_sheet(one) is None


def test_the_pad_is_never_taken_for_a_table() -> None:
    box = Image.new("L", (280, 280), 0)
    ImageDraw.Draw(box).rectangle((60, 60, 220, 220), outline=255, width=40)  # a square 0 with the widest pen
    for picture in (np.asarray(box), pad(SEVEN), pad([OVAL], pen=40)):
        assert "sheet" not in prepare(picture, MNIST).warnings
