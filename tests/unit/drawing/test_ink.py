"""Ink of pads and photos: plain pads, hand-made pictures and a flood fill as oracles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from cnn_demo.drawing.ink import Blobs, Paper, find_ink_on_flat_paper, measure_stroke_width
from cnn_demo.drawing.prepare import prepare
from tests.unit.drawing.pads import MNIST, SEVEN, Points, alike, field, pad


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 90), (200, 40), (30, 255)])
def test_either_shade_of_paper_and_ink(paper: int, ink: int) -> None:
    drawing = prepare(pad(SEVEN, paper=paper, ink=ink), MNIST)
    assert alike(drawing.stages[-1].image, field(pad(SEVEN))) > 0.999
    assert ("inverted" in drawing.warnings) == (paper > ink)


def _photo(strokes: Sequence[Points], *, dark_paper: bool = False) -> np.ndarray:
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


def test_paper_is_the_commonest_shade() -> None:
    gray = np.full((10, 10), 51 / 255, np.float32)
    gray[0] = 53 / 255
    gray[1] = 1
    paper = Paper.from_gray(gray)
    assert (paper.shade, paper.exact, paper.near) == (pytest.approx(0.2), pytest.approx(0.8), pytest.approx(0.9))
    assert paper.flat
    found = find_ink_on_flat_paper(gray, paper)
    ink = found.image
    assert not found.on_light
    assert (ink[1] == 1).all()
    np.testing.assert_allclose(ink[0], 2 / 204, atol=1e-6)
    assert (ink[2:] == 0).all()


def flood_fill(cells: np.ndarray) -> list[set[tuple[int, int]]]:
    """The pieces of a mask, diagonal neighbors connected, in the order of their first cell."""
    todo = {(int(y), int(x)) for y, x in np.argwhere(cells)}
    pieces = []
    while todo:
        stack, piece = [min(todo)], set()
        while stack:
            cell = stack.pop()
            if cell in todo:
                todo.remove(cell)
                piece.add(cell)
                stack += [(cell[0] + dy, cell[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("seed", range(5))
def test_blobs_are_the_pieces_that_a_flood_fill_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ink = np.where(rng.random((60, 50)) < 0.15, rng.uniform(0.2, 1, (60, 50)), 0).astype(np.float32)
    blobs = Blobs.find(ink)  # at most 108 pixels: a cell is a pixel
    assert blobs.cell == 1
    pieces = flood_fill(ink > 0)
    assert len(blobs.area) == len(pieces) > 20
    for piece in pieces:
        at = int(blobs.labels[min(piece)]) - 1
        y, x = np.array(sorted(piece)).T
        assert {(int(a), int(b)) for a, b in np.argwhere(blobs.labels == at + 1)} == piece
        assert blobs.box[at].tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
        assert blobs.area[at] == pytest.approx(float(ink[y, x].sum()), rel=1e-5)
        assert blobs.at_border[at] == (y.min() == 0 or x.min() == 0 or y.max() == 59 or x.max() == 49)
    keep = blobs.area > np.median(blobs.area)
    kept = blobs.keep_only(ink, keep)
    assert float(kept.sum()) == pytest.approx(float(blobs.area[keep].sum()), rel=1e-5)
    assert set(np.unique(blobs.labels[kept > 0])) == set(np.flatnonzero(keep) + 1)


def test_gaps_of_less_than_a_cell_do_not_part_a_blob() -> None:
    ink = np.zeros((288, 288), np.float32)  # cells of four pixels
    ink[100:103, 40:140] = ink[105:108, 40:140] = 1
    ink[200:203, 40:140] = 1
    blobs = Blobs.find(ink)
    assert blobs.cell == 4
    assert blobs.area.tolist() == pytest.approx([600, 300])


def test_nothing_drawn_has_no_blobs() -> None:
    blobs = Blobs.find(np.zeros((28, 28), np.float32))
    assert len(blobs.area) == len(blobs.at_border) == 0
    assert blobs.box.shape == (0, 4)


@pytest.mark.parametrize("width", [4, 10, 24])
@pytest.mark.parametrize("angle", [0, 20, 45, 90])
def test_the_width_of_a_long_bar_is_measured(width: int, angle: float) -> None:
    y, x = np.mgrid[:400, :400] - 199.5
    turn = np.radians(angle)
    across, along = np.cos(turn) * y - np.sin(turn) * x, np.cos(turn) * x + np.sin(turn) * y
    bar = np.clip(width / 2 + 0.5 - np.abs(across), 0, 1) * (np.abs(along) < 180)
    # The ends belong to the outline, and four directions measure its length within a few percent.
    assert measure_stroke_width(bar.astype(np.float32)) == pytest.approx(width, rel=0.12)
