"""The visitor's own image and network, chosen once for all lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.ui.shared import chosen_image, loaded_network
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.lessons.lesson import Subject


def choose_subject() -> Subject | None:
    """The pickers, folded away; None where network or image cannot be had, which has been said."""
    with st.popover(_("Your image and your network"), icon=":material/tune:", width="content"):
        network = loaded_network.choose_network()
        image = chosen_image.choose_image(network) if network else None
    if network is None or image is None:
        return None
    import torch

    from cnn_demo.lessons.lesson import Subject

    return Subject(image=torch.from_numpy(image.copy()), network=network)
