"""Where the picture comes from: the pad, a sample of the data set, or an upload. From there on all go the same way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.locales import N_
from cnn_demo.plots.png import data_url
from cnn_demo.ui.shared import state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.samples import choose_sample

SIDE = 280
LAST = "drawing_image"  # what other pages read: the last drawing or upload as an array of uint8, or None
_SOURCE, _WIDTH = "draw:source", "draw:width"
_HISTORY, _MOUNT, _BASE = "draw:history", "draw:mount", "draw:base"
_UPLOAD, _PROBLEM, _ROUND = "draw:upload", "draw:upload-problem", "draw:upload-round"
_STEPS = 60

SOURCES: dict[str, str] = {"draw": N_("Draw"), "sample": N_("Sample"), "upload": N_("Upload")}
# What is wrong with an upload, by the kinds of cnn_demo.drawing.pictures.DrawingError.
UPLOAD_PROBLEMS: dict[str, str] = {
    "too_many_bytes": N_("{name} is larger than 5 MB."),
    "too_many_pixels": N_("{name} has more than 50 million pixels."),
    "not_a_picture": N_("{name} is no PNG or JPEG picture, whatever its name says."),
    "broken": N_("{name} is damaged and cannot be read to its end."),
    "no_pixels": N_("{name} has no pixels."),
}


@dataclass(frozen=True)
class Picture:
    """What is to be read.

    Attributes:
        image: ``(H, W, 4)``, ``(H, W, 3)`` or ``(H, W)`` uint8; None while there is nothing.
        key: changes with the picture.
        source: one of :data:`SOURCES`.
    """

    image: NDArray[np.uint8] | None
    key: str
    source: str


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
    image = _upload() if source == "upload" else _draw()
    return _picture(image, source)


def _picture(image: NDArray[np.uint8] | None, source: str) -> Picture:
    if image is None:
        return Picture(None, f"{source}:nothing", source)
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).hexdigest()
    return Picture(image, f"{source}:{digest}", source)


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
    png = history[-1].png
    image = None if png is None else _read_picture(png)
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


def _read_picture(data: bytes) -> NDArray[np.uint8]:
    """The picture in the bytes of a file, as the command line reads it.

    Raises:
        DrawingError: it cannot be used.
    """
    from cnn_demo.drawing.pictures import as_picture, open_image

    picture = as_picture(open_image(data))
    if picture.mode == "LA":  # the one mode whose array is no picture
        picture = picture.convert("RGBA")
    return np.asarray(picture)


# -- samples ------------------------------------------------------------------------------------------------------


def _sample(spec: DatasetSpec) -> Picture:
    place = st.container()
    sample = choose_sample(spec)
    if sample is None:
        return Picture(None, "sample:nothing", "sample")
    with place:
        show_picture(sample.pixels, sample.title)
    return Picture(sample.pixels, f"sample:{sample.spec.name}:{sample.label}-{sample.number}", "sample")


# -- uploads ------------------------------------------------------------------------------------------------------


def _upload() -> NDArray[np.uint8] | None:
    kept: tuple[str, NDArray[np.uint8]] | None = st.session_state.get(_UPLOAD)
    box = st.container()
    st.file_uploader(
        _("A photo of a digit: PNG or JPEG, up to 5 MB"),
        ["png", "jpg", "jpeg"],
        max_upload_size=5,
        key=f"draw:file:{st.session_state.setdefault(_ROUND, 0)}",
        on_change=_take,
        help=_("Any size, dark on light or light on dark. The light may be uneven; only the ink is read."),
    )
    problem = st.session_state.get(_PROBLEM)
    if problem:
        st.error(_(UPLOAD_PROBLEMS.get(problem[0], UPLOAD_PROBLEMS["broken"])).format(name=f"`{problem[1]}`"))
    with box:
        if kept is not None:
            show_picture(kept[1], kept[0])
            st.session_state[LAST] = kept[1]
    return kept[1] if kept is not None else None


def _take() -> None:
    """Read the file that has just come; a bad one leaves the picture before it where it is."""
    from cnn_demo.drawing.pictures import DrawingError

    file = st.session_state.get(f"draw:file:{st.session_state[_ROUND]}")
    if file is None:
        return
    try:
        st.session_state[_UPLOAD] = (file.name, _read_picture(file.getvalue()))
        st.session_state[_PROBLEM] = None
    except DrawingError as error:
        st.session_state[_PROBLEM] = (error.kind, file.name)
    except (OSError, ValueError):
        st.session_state[_PROBLEM] = ("broken", file.name)


# -- showing ------------------------------------------------------------------------------------------------------


def show_picture(pixels: NDArray[np.uint8], caption: str) -> None:
    """A picture at the pad's size, small ones with crisp pixels."""
    from html import escape

    look = "pixelated" if max(pixels.shape[:2]) <= 64 else "auto"
    st.html(
        f'<figure class="draw-shown"><img src="{data_url(pixels)}" alt="{escape(caption)}" '
        f'style="image-rendering:{look}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
