"""The visitor's own image and network, chosen once for all lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.ui.shared import chosen_image, loaded_network, state
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

    return Subject(image=torch.from_numpy(image.copy()), network=network, unit=_read_unit())


def _read_unit() -> tuple[str, int, int, int] | None:
    """The unit that was pinned on Feature maps, in the words of that page's address."""
    parts = (st.query_params.get("unit") or state.remembered("unit") or "").rsplit(",", 3)
    if len(parts) != 4 or not all(part.isdecimal() for part in parts[1:]):
        return None
    return parts[0], int(parts[1]), int(parts[2]), int(parts[3])
