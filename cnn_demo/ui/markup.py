"""Words of a person inside our Markdown."""

from __future__ import annotations

_SIGNS = str.maketrans({sign: "\\" + sign for sign in "\\`*_{}[]<>()#+!|~$:"})


def escape(text: str) -> str:
    """The text so that nothing in it formats, links, or ends a table cell."""
    return " ".join(text.split()).translate(_SIGNS)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
