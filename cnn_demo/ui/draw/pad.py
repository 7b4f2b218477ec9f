"""Where the picture comes from: the pad, a sample of the data set, or an upload. From there on all go the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.locales import N_
from cnn_demo.ui.draw import upload
from cnn_demo.ui.draw.picture import LAST, Picture, make_picture, show_picture
from cnn_demo.ui.shared import state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.samples import choose_sample

SIDE = 280
_SOURCE, _WIDTH = "draw:source", "draw:width"
_HISTORY, _MOUNT, _BASE = "draw:history", "draw:mount", "draw:base"
_STEPS = 60

SOURCES: dict[str, str] = {"draw": N_("Draw"), "sample": N_("Sample"), "upload": N_("Upload")}


@dataclass(frozen=True)
class Sheet:
    """The pad after a stroke: the strokes as Fabric.js keeps them, and the picture as a PNG; no picture when blank."""

    strokes: dict[str, Any]
    png: bytes | None


_BLANK = Sheet({"objects": []}, None)


def choose_picture(spec: DatasetSpec | None) -> Picture:
    """Show the source that is chosen and return its picture.

    Args:
        spec: the data set of the first network, for samples; None while no network is chosen.
    """
    source = state.choose_view("from", _("Picture"), SOURCES, key=_SOURCE)
    if source == "sample":
        return _sample(spec or get_spec("mnist-mini"))
    image = upload.choose_upload() if source == "upload" else _draw()
    return make_picture(image, source)


# -- the pad ------------------------------------------------------------------------------------------------------


def _draw() -> NDArray[np.uint8] | None:
    from streamlit_drawable_canvas import st_canvas  # registers itself with the running server on import

    history: list[Sheet] = st.session_state.setdefault(_HISTORY, [_BLANK])
    mount = st.session_state.setdefault(_MOUNT, 0)
    key = f"draw:pad:{mount}"
    if key not in st.session_state:
        # The pad is built anew (first visit, back from another page, after undo and clear) and given these strokes.
        # While it stands, it must always be given the same ones.
        st.session_state[_BASE] = history[-1].strokes
    st.caption(_("With mouse, pen or finger:"))  # the pad's own toolbar appears over this line
    result = st_canvas(
        stroke_width=st.session_state.setdefault(_WIDTH, 18),
        stroke_color="#ffffff",
        background_color="#000000",
        height=SIDE,
        width=SIDE,
        initial_drawing=st.session_state[_BASE],
        return_image_data=True,
        key=key,
    )
    _remember_stroke(history, result)
    with st.container(horizontal=True, gap="xsmall", key="draw-tools"):
        st.button(
            _("Undo"),
            icon=":material/undo:",
            key="draw:undo",
            on_click=_undo,
            disabled=len(history) < 2,
        )
        st.button(
            _("Clear"),
            icon=":material/delete_sweep:",
            key="draw:clear",
            on_click=_clear,
            disabled=history[-1].png is None,
        )
        with st.popover(_("Pen"), icon=":material/line_weight:"):
            st.slider(
                _("Pen width (pixels)"),
                4,
                40,
                key=_WIDTH,
                persist_state="session",
                help=_("The pad is 280 pixels wide. Ten pixels of pen become one pixel for the network, roughly."),
            )
    from cnn_demo.drawing.pictures import decode_picture

    png = history[-1].png
    image = None if png is None else decode_picture(png)
    st.session_state[LAST] = image
    return image


def _remember_stroke(history: list[Sheet], result: Any) -> None:
    """Remember a stroke that has come in."""
    png = result.image_bytes
    if png is None or png == history[-1].png:
        return
    strokes = dict(result.json_data or {})
    if not strokes.get("objects"):
        if history[-1].png is not None:  # the toolbar of the pad was used to undo or to reset
            history.append(_BLANK)
        return
    history.append(Sheet(strokes, png))
    del history[:-_STEPS]


def _undo() -> None:
    st.session_state[_HISTORY].pop()
    st.session_state[_MOUNT] += 1


def _clear() -> None:
    st.session_state[_HISTORY].append(_BLANK)
    st.session_state[_MOUNT] += 1


# -- samples ------------------------------------------------------------------------------------------------------


def _sample(spec: DatasetSpec) -> Picture:
    place = st.container()
    sample = choose_sample(spec)
    if sample is None:
        return Picture(None, "sample:nothing", "sample")
    with place:
        show_picture(sample.pixels, sample.title)
    return Picture(sample.pixels, f"sample:{sample.spec.name}:{sample.label}-{sample.number}", "sample")
