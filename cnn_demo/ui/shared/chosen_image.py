"""Which image is looked at: the last drawing, a sample, or an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.datasets.specs import get_spec
from cnn_demo.ui.shared import i18n, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.last_drawing import LAST
from cnn_demo.ui.shared.samples import choose_sample
from cnn_demo.ui.shared.uploads import choose_upload

if TYPE_CHECKING:
    from PIL import Image

    from cnn_demo.prediction.load import LoadedModel

_SOURCE = "maps:source"


def choose_image(network: LoadedModel) -> np.ndarray | None:
    """The image the network sees, ``(C, H, W)`` uint8; None where there is none yet (the page has said so)."""
    titles = {"drawing": _("Last drawing"), "sample": _("Sample"), "upload": _("Upload")}
    if st.session_state.get(LAST) is None:
        del titles["drawing"]
    wanted = state.get("input") or ""
    chosen = st.session_state.get(_SOURCE)
    if chosen not in titles:
        chosen = wanted if wanted in titles else next(iter(titles))
    st.session_state[_SOURCE] = chosen  # written each time: a widget of this key on another page would begin empty
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.segmented_control(
            _("Image"),
            list(titles),
            key=_SOURCE,
            format_func=i18n.worded(titles, titles.__getitem__),
            required=True,
            on_change=lambda: state.put("input", st.session_state[_SOURCE]),
        )
        source = st.session_state[_SOURCE]
        if source == "sample":
            return _sample(network)
    return _upload(network) if source == "upload" else _ready(network, st.session_state[LAST])


def _ready(network: LoadedModel, picture: NDArray[np.uint8] | Image.Image) -> np.ndarray | None:
    """Any picture as the network sees it, ``(C, H, W)`` uint8; None where it cannot be used (which is said)."""
    from cnn_demo.drawing.pictures import DrawingError
    from cnn_demo.prediction.predictor import Predictor

    try:
        stage = Predictor(network).prepare(picture).stages[-1].image  # (H, W) or (H, W, 3), 0 to 1
    except DrawingError as error:
        st.error(_("This picture cannot be used: {reason}").format(reason=str(error)))
        return None
    pixels = (np.asarray(stage) * 255).round().astype(np.uint8)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # -> (C, H, W)
    return np.broadcast_to(pixels, (network.spec.channels, *pixels.shape[1:])).copy()


def _upload(network: LoadedModel) -> np.ndarray | None:
    picture = choose_upload("maps:upload")
    if picture is None:
        st.info(_("Choose a picture to see what the network makes of it."), icon=":material/upload:")
        return None
    return _ready(network, picture)


def _sample(network: LoadedModel) -> np.ndarray | None:
    if network.photo is None:
        sample = choose_sample(network.spec)
        return None if sample is None else sample.image
    sample = choose_sample(get_spec("mnist-mini"))
    return None if sample is None else _ready(network, sample.pixels)
