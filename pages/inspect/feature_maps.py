"""Feature maps: what every layer makes of an image, down to one multiplication."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.ui.maps import attention, channel, overview, pictures, scenes, switches
from cnn_demo.ui.shared import chosen_image, layout, loaded_network
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel

layout.page_header(
    _("Feature maps"),
    _("Put an image in, see what every layer makes of it, and follow one number from the output to the pixels."),
    help=_(
        "Each tile is one channel of a layer, each square in it one unit. Point at a unit and the part of the input "
        "that it sees lights up; click it and read the arithmetic, which equals what PyTorch computed. What textbooks "
        "call a convolution is a cross-correlation here, as in PyTorch: the kernel is not flipped."
    ),
)


@st.fragment
def explore() -> None:
    network = loaded_network.choose_network()
    image = chosen_image.choose_image(network) if network else None
    if network is None or image is None:
        return
    image = pictures.show_motion(image)
    overview.show_overview(network, image)
    layout.section(_("Layer by layer"))
    scenes.show_scene(network, image, channel.load_known_statistics(network))
    attention.show_attention(network, image)
    with st.container(key="maps-learnt"):
        layout.section(_("What a channel has learnt"))
        study_channel(network, image)


@st.fragment(key=scenes.CHANNEL)
def study_channel(network: LoadedModel, image: np.ndarray) -> None:
    scene = scenes.scene_of_image(network, image)
    layer, number = channel.choose_channel(scene)
    left, middle, right = st.columns([2, 3, 3], gap="large")
    with left:
        channel.show_kernel(scene, layer, number)
        channel.show_activation_maximization(network, scene, layer, number)
    with right:
        switches.show_switches(network, scene, layer, number)
    with middle:
        found = channel.search_statistics(network, scene)
        if found is not None:
            channel.show_patches(network, layer, number, found)
            channel.show_class_means(network, layer, number, found)


explore()
