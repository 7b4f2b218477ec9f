"""The styles of the digits: topology as the oracle, and how often each is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.skeletons.styles import STYLES, choose_style, list_styles
from cnn_demo.handwriting.strokes import HELD_OUT_VARIATION, PenVariation, draw_strokes, write_digit

STEADY = PenVariation(slant=(0, 0), turn=0, width=0, bend=0, shake=0, lift=0, few=0, resampled=0, dragged=0, ticked=0)


def random_stream(seed: int = 0) -> RandomStream:
    return RandomStream(np.random.default_rng(seed))


def test_every_digit_has_styles_of_its_own_for_validation() -> None:
    for digit in range(10):
        own, held = list_styles()[digit], list_styles(held_out=True)[digit]
        assert len(own) >= 3
        assert held
        assert not {s.draw for s in own} & {s.draw for s in held}
        assert {s.digit for s in [*own, *held]} == {digit}
    assert PenVariation() != HELD_OUT_VARIATION


def test_styles_are_chosen_by_weight() -> None:
    stream, own = random_stream(), list_styles()[1]
    names = [choose_style(own, stream).draw for _ in range(4000)]
    total = sum(s.weight for s in own)
    for s in own:
        assert names.count(s.draw) / 4000 == pytest.approx(s.weight / total, abs=0.03)


def _holes(picture: np.ndarray) -> int:
    """Pieces of paper that ink encloses; those of at most eight pixels do not count."""
    labels, _ = ndimage.label(np.pad(picture < 0.5, 1, constant_values=True))
    return int((np.bincount(labels.ravel())[2:] > 8).sum())  # label 1 is the paper around the digit


@pytest.mark.parametrize(
    ("name", "holes"),
    [
        ("_zero_slashed", {1, 2, 3}),
        ("_zero_long_slash", {1, 2, 3}),
        ("_zero_barred", {1, 2, 3}),
        ("_five_loose_hat", {0}),
        ("_eight_unclosed", {1}),
        ("_one_flag_foot", {0}),
        ("_seven_crossed", {0}),
        ("_four_open", {0}),
        ("_four_closed", {1}),
        ("_three_round", {0}),
        ("_eight_circles", {2, 3}),
        ("_six_straight", {1}),
        ("_nine_straight", {1}),
    ],
)
def test_the_styles_look_as_named(name: str, holes: set[int]) -> None:
    style = next(s for s in STYLES if s.draw.__name__ == name)
    stream = random_stream(5)
    counts = []
    for _ in range(30):
        paths = [path * 75 + 14 for path in write_digit(style, STEADY, stream)]
        counts.append(_holes(draw_strokes(paths, 3, (106, 84))))
    assert np.mean([count in holes for count in counts]) >= 0.75
