"""A picture of the visitor's own, decoded once and kept by the session; every page that takes one has the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.locales import N_
from cnn_demo.plots.png import data_url
from cnn_demo.ui.components.picture_field import FileRemoved, FileSent, Part, show_picture_field, take_message
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

_KEPT, _PROBLEM = "upload:kept", "upload:problem"
_SIDE = 1600  # pixels of the longer side that are kept, so that a small part of a photo is still sharp
_PREVIEW = 280

# What is wrong with a file, by the kinds of cnn_demo.drawing.pictures.DrawingError.
PROBLEMS: dict[str, str] = {
    "too_many_bytes": N_("{name} is too large. Save it smaller or cut it to the digit."),
    "too_many_pixels": N_("{name} has too many pixels. Save it smaller or cut it to the digit."),
    "not_a_picture": N_("{name} is no picture that can be read, whatever its name says. Take a PNG or JPEG."),
    "broken": N_("{name} is damaged and cannot be read to its end."),
    "no_pixels": N_("{name} has no pixels."),
}


@dataclass(frozen=True)
class Upload:
    """The picture that the session keeps.

    Attributes:
        name: of the file.
        whole: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` uint8, its longer side at most 1,600 pixels.
        image: what is read: the whole or the part, its longer side at most 512 pixels.
        preview: the whole as a data URL.
        part: which part is read; None for all of it.
    """

    name: str
    whole: NDArray[np.uint8]
    image: NDArray[np.uint8]
    preview: str
    part: Part | None = None


def choose_upload(key: str) -> NDArray[np.uint8] | None:
    """Show the field for a picture; returns what is to be read of it, None where there is no picture.

    Args:
        key: of the field on this page.
    """
    _follow_visitor(key)
    kept: Upload | None = st.session_state.get(_KEPT)
    show_picture_field(
        key,
        name=kept.name if kept else "",
        preview=kept.preview if kept else None,
        part=kept.part if kept else None,
    )
    problem = st.session_state.get(_PROBLEM)
    if problem:
        kind, name = problem
        st.error(_(PROBLEMS.get(kind, PROBLEMS["broken"])).format(name=f"**{escape(name)}**"))
    return kept.image if kept else None


def _follow_visitor(key: str) -> None:
    """Do what the visitor asks for. A file that cannot be read takes the place of the one before: no answer is left."""
    message = take_message(key)
    if message is None:
        return
    kept: Upload | None = st.session_state.get(_KEPT)
    st.session_state[_PROBLEM] = None
    if isinstance(message, FileSent):
        st.session_state[_KEPT] = None
        _keep(message)
    elif isinstance(message, FileRemoved):
        st.session_state[_KEPT] = None
    elif kept is not None:
        st.session_state[_KEPT] = replace(kept, part=message.part, image=cut_part(kept.whole, message.part))


def _keep(file: FileSent) -> None:
    from cnn_demo.drawing.pictures import DrawingError, decode_picture

    try:
        if file.problem:
            raise DrawingError(file.problem, "found by the browser")
        whole = decode_picture(file.data, side=_SIDE)
    except DrawingError as error:
        st.session_state[_PROBLEM] = (error.kind, file.name)
        return
    preview = data_url(decode_picture(whole, side=_PREVIEW))
    st.session_state[_KEPT] = Upload(file.name, whole, cut_part(whole, None), preview)


def cut_part(whole: NDArray[np.uint8], part: Part | None) -> NDArray[np.uint8]:
    """A part of a picture, at least a pixel, its longer side at most 512 pixels.

    Args:
        whole: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``.
        part: left, top, right, bottom as parts of width and height; None for all of it.
    """
    from cnn_demo.drawing.pictures import decode_picture

    if part is not None:
        height, width = whole.shape[:2]
        left, top = min(int(part[0] * width), width - 1), min(int(part[1] * height), height - 1)
        right, bottom = max(round(part[2] * width), left + 1), max(round(part[3] * height), top + 1)
        whole = whole[top:bottom, left:right]
    return decode_picture(whole)
