"""What a link carries: choices that live in the URL and survive a change of page.

Streamlit empties the query string when a visitor goes to another page. A choice kept here is remembered by the session
too and put back, so that ``?run=...`` is there again on return and a copied address always shows what its sender saw.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st

from cnn_demo.ui.shared.i18n import _, worded

_PREFIX = "url:"
_PUT = "url-put:"  # when a choice was made last, on a clock that only goes forward
_PAGE, _SAME_PAGE = "url-page", "url-same-page"
_BROWSER_SECONDS = 1.0  # by then a browser that is here has taken up an address


def note_page(path: str) -> None:
    """Remember which page is shown, so that :func:`get_or_go_back` can tell a change of page from the Back button."""
    st.session_state[_SAME_PAGE] = st.session_state.get(_PAGE) == path
    st.session_state[_PAGE] = path


def get_or_go_back(name: str) -> str | None:
    """A choice as :func:`get` has it; but one that went from the address without a change of page is taken back.

    So the browser's Back button leads from what was chosen to the choice.
    """
    made = st.session_state.get(_PUT + name, 0.0)
    if (
        not st.query_params.get(name)
        and st.session_state.get(_SAME_PAGE)
        and time.monotonic() - made > _BROWSER_SECONDS
    ):
        put(name, None)
    return get(name)


def get(name: str) -> str | None:
    """A choice by its name in the URL: what the link says, else what this session chose last."""
    value = st.query_params.get(name)
    if value:
        st.session_state[_PREFIX + name] = value
        return value
    value = st.session_state.get(_PREFIX + name)
    if value:
        st.query_params[name] = value
    return value


def remembered(name: str) -> str | None:
    """A choice that this session made last, perhaps on another page; the address is left as it is."""
    return st.session_state.get(_PREFIX + name)


def put(name: str, value: str | None) -> None:
    """Make a choice, or take it back with None. Works in callbacks and in the page."""
    if value:
        st.session_state[_PREFIX + name] = value
        st.session_state[_PUT + name] = time.monotonic()
        st.query_params[name] = value
    else:
        st.session_state.pop(_PREFIX + name, None)
        st.query_params.pop(name, None)


def choose_view(name: str, label: str, titles: Mapping[str, str], *, key: str) -> str:
    """One of a few views side by side, kept in the URL; the first is the default.

    Args:
        name: its name in the URL.
        label: what is chosen, for screen readers.
        titles: the choices with their English titles.
        key: where the session keeps the choice.
    """
    words = {choice: _(title) for choice, title in titles.items()}
    wanted = get(name)
    if wanted in words:  # a click has been put there before; another one comes with a link
        st.session_state[key] = wanted
    elif st.session_state.get(key) not in words:
        st.session_state[key] = next(iter(words))
    st.segmented_control(
        label,
        list(words),
        key=key,
        format_func=worded(words, words.__getitem__),
        required=True,
        on_change=lambda: put(name, st.session_state[key]),
        label_visibility="collapsed",
        persist_state="session",
    )
    return str(st.session_state[key])
