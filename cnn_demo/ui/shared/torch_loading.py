"""Loading PyTorch into the server: said on the page, and never before the page is painted."""

from __future__ import annotations

import sys

import streamlit as st

from cnn_demo.ui.shared.i18n import _

_LOADING = "draw:loading"


def torch_loaded() -> bool:
    """Whether networks can be had at once. On a server's first visit torch is loaded only after the pad is there."""
    return "cnn_demo.prediction.predictor" in sys.modules


def load_torch() -> None:
    """Say that the networks are being loaded, and load them as soon as the browser has painted the pad."""
    st.session_state[_LOADING] = False
    st.fragment(_load_torch, run_every=0.7)()


def _load_torch() -> None:
    words = _("Loading the network… you can draw already.")
    st.html(f'<div class="lab-loading" role="status">{words}</div>')
    if not st.session_state[_LOADING]:  # the first time this is part of painting the page; the timer brings us back
        st.session_state[_LOADING] = True
        return
    import cnn_demo.prediction.predictor  # noqa: F401

    st.rerun()
