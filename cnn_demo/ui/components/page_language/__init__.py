"""The page says which language it is in, and Streamlit's own words are in it too.

Streamlit writes ``<html lang="en">`` and has English words of its own: names of buttons for screen readers, tips over
a table's tools, the main menu. A reader of Chinese meets them, and a screen reader reads a page by its ``lang``.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cnn_demo.locales import N_
from cnn_demo.ui.shared import i18n
from cnn_demo.ui.shared.i18n import _

_FOLDER = Path(__file__).resolve().parent

_speaker = st.components.v2.component(
    "cnn_lab_page_language",
    html="<span hidden></span>",
    js=(_FOLDER / "page_language.js").read_text(encoding="utf-8"),
)

# What Streamlit 1.67 says by itself on our pages.
_WORDS = (
    N_("App pages"),
    N_("Choose an option"),
    N_("Choose options"),
    N_("Clear all"),
    N_("Close"),
    N_("Close fullscreen"),
    N_("Collapse sidebar"),
    N_("Dark"),
    N_("Decrement"),
    N_("Download as CSV"),
    N_("Expand sidebar"),
    N_("Fullscreen"),
    N_("Help"),
    N_("Increment"),
    N_("Light"),
    N_("Logo"),
    N_("Main menu"),
    N_("Navigate to home page"),
    N_("No results"),
    N_("Open"),
    N_("Print"),
    N_("Record screen"),
    N_("Search"),
    N_("Selected values"),
    N_("Show/hide columns"),
    N_("Sidebar"),
    N_("Skip to main content"),
    N_("System"),
    N_("progress"),
)


def speak_language(key: str) -> None:
    """Tell the browser the language of this session; nothing is to be seen.

    Args:
        key: of the component.
    """
    words = {word: _(word) for word in _WORDS}
    data = {
        "language": i18n.language().replace("_", "-"),
        "words": {word: own for word, own in words.items() if own != word},
    }
    _speaker(key=key, data=data, height=0)
