"""The top of the page: the whole network on one screen."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.prediction.wording import percent
from cnn_demo.ui.components import network as component
from cnn_demo.ui.maps import scenes
from cnn_demo.ui.shared import i18n, state

if TYPE_CHECKING:
    import numpy as np

    from cnn_demo.prediction.load import LoadedModel

OVERVIEW = "maps:overview"


@st.fragment(key=f"{OVERVIEW}:fragment")
def show_overview(network: LoadedModel, image: np.ndarray) -> None:
    """Every layer in a column, with what feeds each map for this image.

    Args:
        network: whose maps.
        image: ``(C, H, W)`` uint8.
    """
    block = state.get("block") or ""
    data = _pack(network, network.key, image.tobytes(), image.shape, block, i18n.language())
    component.show_network(data, OVERVIEW, _keep_block)


def _keep_block() -> None:
    state.put("block", st.session_state[OVERVIEW].get("block") or None)


@st.cache_data(show_spinner=False, max_entries=6)
def _pack(_network: LoadedModel, key: str, pixels: bytes, shape: tuple[int, ...], block: str, language: str) -> bytes:
    import numpy as np

    from cnn_demo.inspect.overview import pack_overview

    image = np.frombuffer(pixels, np.uint8).reshape(shape)
    scene = scenes.scene_of_image(_network, image)
    probabilities = scenes.calibrated(_network, scene.maps[scene.layers[-1].name])
    digest = hashlib.sha1(pixels, usedforsecurity=False)
    digest.update(f"{key} {block} {language} {probabilities.tolist()}".encode())
    return pack_overview(
        scene,
        probabilities,
        block,
        id=digest.hexdigest(),
        network=key,
        file=f"network-{_network.file_name}",
        words=component.list_words(),
        classes=scenes.class_names(_network),
        shares=[percent(float(p)) for p in probabilities],
    )
