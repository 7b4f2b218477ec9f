"""All styles of the ten digits, and how one is chosen."""

from __future__ import annotations

from cnn_demo.handwriting.skeletons import five_to_nine, zero_to_four
from cnn_demo.handwriting.skeletons.pen import DigitStyle, RandomStream

STYLES = (*five_to_nine.STYLES, *zero_to_four.STYLES)


def list_styles(held_out: bool = False) -> list[list[DigitStyle]]:
    """The styles of each digit 0..9: those for training, or those kept for validation."""
    return [[s for s in STYLES if s.digit == digit and s.held_out == held_out] for digit in range(10)]


def choose_style(styles: list[DigitStyle], stream: RandomStream) -> DigitStyle:
    """One of the styles, by weight."""
    left = stream.u(0, sum(style.weight for style in styles))
    for style in styles:
        left -= style.weight
        if left < 0:
            break
    return style
