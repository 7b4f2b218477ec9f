"""Our Markdown and HTML: tables, figures, and the words of a person inside them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as html_escape

_SIGNS = str.maketrans({sign: "\\" + sign for sign in "\\`*_{}[]<>()#+!|~$:"})


def escape(text: str) -> str:
    """The text so that nothing in it formats, links, or ends a table cell."""
    return " ".join(text.split()).translate(_SIGNS)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def figure_row(figures: Sequence[tuple[str, str]], note: str = "") -> str:
    """HTML for a row of labeled figures with a note under it; one element where columns of metrics would be a dozen.

    Args:
        figures: (label, value), plain text; an empty value is shown as a dash.
        note: a sentence below, plain text.
    """
    cells = "".join(
        f"<div><span>{html_escape(label)}</span><b>{html_escape(value) or '–'}</b></div>" for label, value in figures
    )
    below = f"<p>{html_escape(note)}</p>" if note else ""
    return f'<div class="lab-figures"><div>{cells}</div>{below}</div>'
