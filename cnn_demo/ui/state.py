"""What a link carries: choices that live in the URL and survive a change of page.

Streamlit empties the query string when a visitor goes to another page. A choice kept here is remembered by the session
too and put back, so that ``?run=...`` is there again on return and a copied address always shows what its sender saw.
"""

from __future__ import annotations

import streamlit as st

_PREFIX = "url:"


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


def put(name: str, value: str | None) -> None:
    """Make a choice, or take it back with None. Works in callbacks and in the page."""
    if value:
        st.session_state[_PREFIX + name] = value
        st.query_params[name] = value
    else:
        st.session_state.pop(_PREFIX + name, None)
        st.query_params.pop(name, None)
