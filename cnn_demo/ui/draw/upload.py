"""A photo of a digit from the visitor's own files."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.locales import N_
from cnn_demo.ui.draw.picture import LAST, decode_picture, show_picture
from cnn_demo.ui.shared.i18n import _

_UPLOAD, _PROBLEM, _ROUND = "draw:upload", "draw:upload-problem", "draw:upload-round"

# What is wrong with an upload, by the kinds of cnn_demo.drawing.pictures.DrawingError.
UPLOAD_PROBLEMS: dict[str, str] = {
    "too_many_bytes": N_("{name} is larger than 5 MB."),
    "too_many_pixels": N_("{name} has more than 50 million pixels."),
    "not_a_picture": N_("{name} is no PNG or JPEG picture, whatever its name says."),
    "broken": N_("{name} is damaged and cannot be read to its end."),
    "no_pixels": N_("{name} has no pixels."),
}


def choose_upload() -> NDArray[np.uint8] | None:
    """Show the field for a file and return its picture; None before the first one."""
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
        st.session_state[_UPLOAD] = (file.name, decode_picture(file.getvalue()))
        st.session_state[_PROBLEM] = None
    except DrawingError as error:
        st.session_state[_PROBLEM] = (error.kind, file.name)
    except (OSError, ValueError):
        st.session_state[_PROBLEM] = ("broken", file.name)
