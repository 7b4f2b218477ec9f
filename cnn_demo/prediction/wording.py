"""Numbers in words that the pages and the command line share. Nothing heavy is imported here."""

from __future__ import annotations


def percent(value: float) -> str:
    """A probability for people. A softmax is never 0 or 1, also where rounding makes it so: neither is ever shown."""
    if value < 0.001:
        return "<0.1%"
    return ">99.9%" if value > 0.999 else f"{value:.1%}"
