"""The strip of a run, ready to send: the newest moment while it trains, all of them when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.runs.strip import load_strip
from cnn_demo.ui.components.strip import WHOLE, Look, pack_strip
from cnn_demo.ui.shared import i18n, names
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.runs.records import Run
    from cnn_demo.runs.store import Store


def pack_run_strip(store: Store, run: Run, look: Look = WHOLE) -> bytes | None:
    """The strip of a run; None for a run that has none, or none yet, or none of what is to be shown."""
    return _pack(store, run.config.dataset, run.id, run.version, run.state.ended, look, i18n.language())


def list_class_names(dataset: str, count: int) -> list[str]:
    """The names of a data set's classes, translated; numbers where this version does not know it."""
    spec = names.spec(dataset)
    return [_(name) for name in spec.classes] if spec else [str(i) for i in range(count)]


@st.cache_resource(show_spinner=False, max_entries=64)
def _pack(
    _store: Store, dataset: str, run_id: str, version: int, ended: bool, look: Look, language: str
) -> bytes | None:  # version and language are keys: they decide what comes out
    strip = load_strip(_store.folder(run_id), newest_only=not ended)
    if strip is None or not any(look.shows(picture) for picture in strip.pictures):
        return None
    return pack_strip(strip, list_class_names(dataset, strip.probabilities.shape[2]), look)
