"""The run store as the pages share it: one object a server, found by its folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store


def get_store() -> Store:
    """The store under ``CNN_DEMO_HOME``, or the default folder."""
    return _open(os.environ.get("CNN_DEMO_HOME", ""))


@st.cache_resource(show_spinner=False, max_entries=4)
def _open(home: str) -> Store:  # keyed by the folder, so that a test's store is its own
    from cnn_demo.runs.store import Store  # with SQLAlchemy 0.15 s of processor time: a heading need not wait for it

    return Store()
