"""A photo of a digit from the visitor's own files."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.ui.shared import uploads
from cnn_demo.ui.shared.last_drawing import LAST

_KEY, _IS_LAST = "draw:upload", "draw:upload-is-last"


def choose_upload() -> NDArray[np.uint8] | None:
    """Show the field for a picture and return what is to be read of it; other pages find it as the last drawing."""
    image = uploads.choose_upload(_KEY)
    if image is not None or st.session_state.get(_IS_LAST):
        st.session_state[LAST] = image  # one that was taken away is nowhere any more
    st.session_state[_IS_LAST] = image is not None
    return image
