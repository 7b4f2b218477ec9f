"""How the image that is looked into is moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from cnn_demo.ui.shared.i18n import _

_MOVES = {"right": 0, "down": 0, "angle": 0, "scale": 1.0, "noise": 0.0}


def show_motion(image: np.ndarray) -> np.ndarray:
    """The sliders, and the image as they leave it."""
    import torch

    from cnn_demo.inspect.motion import Motion, move_image

    with st.expander(_("Move the image and watch the maps follow"), icon=":material/open_with:"):
        side = image.shape[1]
        reach = max(1, side // 3)
        sliders = {
            "right": (_("Shift right (pixels)"), -reach, reach, 1),
            "down": (_("Shift down (pixels)"), -reach, reach, 1),
            "angle": (_("Rotate (degrees)"), -180, 180, 5),
            "scale": (_("Scale"), 0.4, 2.0, 0.05),
            "noise": (_("Noise (white = 1)"), 0.0, 0.5, 0.02),
        }
        values: dict[str, Any] = {}
        for column, (name, (label, low, high, step)) in zip(st.columns(5), sliders.items(), strict=True):
            with column:
                values[name] = _slider(name, label, low, high, step)
        st.button(_("As it was"), on_click=_reset, icon=":material/undo:", disabled=values == _MOVES)
    return move_image(torch.from_numpy(np.ascontiguousarray(image)), Motion(**values)).numpy()


def _slider(name: str, label: str, low: float, high: float, step: float) -> Any:
    key = f"maps:move:{name}"
    st.session_state.setdefault(key, _MOVES[name])
    st.session_state[key] = min(max(st.session_state[key], low), high)
    return st.slider(label, low, high, step=step, key=key)


def _reset() -> None:
    for name, value in _MOVES.items():
        st.session_state[f"maps:move:{name}"] = value
