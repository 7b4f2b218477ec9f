"""Where the picture comes from: the pad, a sample of the data set, or an upload. From there on all go the same way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.locales import N_
from cnn_demo.ui.components.pad import announce_picture, live_pad
from cnn_demo.ui.draw import upload
from cnn_demo.ui.draw.picture import Picture, make_picture, show_picture
from cnn_demo.ui.shared import state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.last_drawing import LAST
from cnn_demo.ui.shared.samples import choose_sample

PAD = "draw:pad"
_SOURCE = "draw:source"

SOURCES: dict[str, str] = {"draw": N_("Draw"), "sample": N_("Sample"), "upload": N_("Upload")}


@contextmanager
def choose_picture(spec: DatasetSpec | None) -> Iterator[Picture]:
    """Show the source that is chosen; the body of the ``with`` answers to its picture.

    Args:
        spec: the data set of the first network, for samples; None while no network is chosen.
    """
    source = state.choose_view("from", _("Picture"), SOURCES, key=_SOURCE)
    if source == "draw":
        with live_pad(PAD) as image:
            st.session_state[LAST] = image
            yield make_picture(image, source)
        return
    picture = _sample(spec) if source == "sample" else make_picture(upload.choose_upload(), source)
    try:
        yield picture
    finally:
        announce_picture(PAD, picture.key)


def _sample(spec: DatasetSpec | None) -> Picture:
    place = st.container()
    sample = choose_sample(spec or get_spec("mnist-mini"))
    if sample is None:
        return Picture(None, "sample:nothing", "sample")
    with place:
        show_picture(sample.pixels, sample.title)
    return Picture(sample.pixels, f"sample:{sample.spec.name}:{sample.label}-{sample.number}", "sample")
