"""How the image that is looked into is moved."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cnn_demo.ui.components.sliders import Slider, clamp_values, show_live_sliders
from cnn_demo.ui.shared.i18n import _

_KEY = "maps:move"
_VALUES = "maps:moves"  # outlives a change of page, which a component's own state does not


def show_motion(image: np.ndarray) -> np.ndarray:
    """The sliders, and the image as they leave it; they report while they are dragged.

    Args:
        image: (C, H, W), uint8.
    """
    import torch

    from cnn_demo.inspect.motion import Motion, move_image

    with st.expander(_("Move the image and watch the maps follow"), icon=":material/open_with:"):
        reach = max(1, image.shape[1] // 3)
        sliders = (
            Slider("right", _("Shift right (pixels)"), -reach, reach, 1, 0),
            Slider("down", _("Shift down (pixels)"), -reach, reach, 1, 0),
            Slider("angle", _("Rotate (degrees)"), -180, 180, 5, 0),
            Slider("scale", _("Scale"), 0.4, 2.0, 0.05, 1),
            Slider("noise", _("Noise (white = 1)"), 0.0, 0.5, 0.02, 0),
        )
        values = clamp_values(sliders, st.session_state.get(_VALUES))
        show_live_sliders(sliders, values, _("As it was"), _KEY, _keep_moves)
    motion = Motion(values["right"], values["down"], values["angle"], values["scale"], values["noise"])
    return move_image(torch.from_numpy(np.ascontiguousarray(image)), motion).numpy()


def _keep_moves() -> None:
    st.session_state[_VALUES] = st.session_state[_KEY]["values"]
