"""Sentences with values in them, to be translated by whoever shows them; and numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Translate = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence.

    Attributes:
        text: in English, marked with ``N_`` where it is written; ``{name}`` stands for one of ``values``.
        values: text, numbers, or other words. Numbers are written by :func:`write_number`.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def fill(self, translate: Translate = str) -> str:
        """The sentence in the language of ``translate``; in English without one."""
        text = translate(self.text) if self.text else ""
        if not self.values:
            return text
        return text.format(**{name: _write(value, translate) for name, value in self.values.items()})


def say(text: str, **values: Any) -> Words:
    """A sentence and what fills it."""
    return Words(text, values)


def _write(value: Any, translate: Translate) -> str:
    if isinstance(value, Words):
        return value.fill(translate)
    return write_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def write_number(value: float, digits: int = 4) -> str:
    """A number with ``digits`` significant digits and a real minus sign; whole numbers get commas.

    The browser writes its numbers by the same rule (``figure`` in ``ui/components/stage/elements.js``).
    """
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if abs(value) >= 1e5 or abs(value) < 1e-4:
        mantissa, exponent = f"{value:.{digits - 2}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{float(f'{value:.{digits}g}'):.12g}".replace("-", "−")


def write_tex(value: float, digits: int = 4) -> str:
    """The same number inside LaTeX."""
    text = write_number(value, digits).replace("−", "-").replace(",", "{,}").replace("∞", r"\infty")
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{exponent}}}" if exponent else mantissa
