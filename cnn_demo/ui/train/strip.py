"""The live strip of a run on the Train page: the newest moment while it trains, all of them when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.runs.strip import load_strip
from cnn_demo.ui.components.strip import pack_strip, show_strip
from cnn_demo.ui.shared import i18n, names
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.runs.records import Run
    from cnn_demo.runs.store import Store


def pack_run_strip(store: Store, run: Run) -> bytes | None:
    """The strip of a run, ready to send; None for a run that has none, or none yet."""
    return _pack(store, run.config.dataset, run.id, run.version, run.state.ended, i18n.language())


def show_run_strip(data: bytes, run: Run) -> None:
    """Heading and strip.

    Args:
        data: from :func:`pack_run_strip`.
        run: whose strip it is.
    """
    # A drawing that is watched may be among the drawings that a run is fine-tuned on.
    title, learns = _("What it reads"), bool(run.config.collection)
    about = _("your drawings and test images") if learns else _("pictures that it never learns from")
    st.markdown(
        f"**{title}** :small[:gray[{about}]]",
        help=_(
            "Your drawings first, then one test image of each class. To have a digit of yours watched, draw it on the "
            "Draw page and choose “Watch while training” before you start a run."
        ),
    )
    show_strip(data, f"strip:{run.id}")


@st.cache_resource(show_spinner=False, max_entries=64)
def _pack(
    _store: Store, dataset: str, run_id: str, version: int, ended: bool, language: str
) -> bytes | None:  # version and language are keys: they decide what comes out
    strip = load_strip(_store.folder(run_id), newest_only=not ended)
    if strip is None:
        return None
    spec = names.spec(dataset)
    count = strip.probabilities.shape[2]
    return pack_strip(strip, [_(name) for name in spec.classes] if spec else [str(i) for i in range(count)])
