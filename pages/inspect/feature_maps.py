"""Feature maps: what every layer makes of an image, down to one multiplication."""

import streamlit as st

from cnn_demo.ui import layout
from cnn_demo.ui.i18n import _
from cnn_demo.ui.maps import channel, networks, pictures, scenes, switches

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
    network = networks.choose()
    image = pictures.choose(network) if network else None
    if network is None or image is None:
        return
    scene = scenes.show(network, pictures.move(image), channel.known(network))
    layout.section(_("What a channel has learnt"))
    layer, number = channel.choose(scene)
    left, middle, right = st.columns([2, 3, 3], gap="large")
    with left:
        channel.kernel(scene, layer, number)
        channel.likes(network, scene, layer, number)
    with right:
        switches.show(network, scene, layer, number)
    with middle:
        found = channel.search(network, scene)
        if found is not None:
            channel.patches(network, layer, number, found)
            channel.by_class(network, layer, number, found)


explore()
