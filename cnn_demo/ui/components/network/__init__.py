"""The whole network on one screen: columns of small maps, and what feeds each of them for this image.

The picture arrives in the browser as bytes (:func:`cnn_demo.inspect.overview.pack_overview`); hovering, choosing and
the animation need nothing more. A map that is chosen is handed to the explorer further down within the browser. Only
a block that shall be unfolded is reported, as the state value ``block``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from cnn_demo.ui.components.stage import DRAWING_JS, read_files
from cnn_demo.ui.shared.i18n import _

_FOLDER = Path(__file__).resolve().parent

_network = st.components.v2.component(
    "cnn_lab_network",
    html='<div class="net"></div>',
    css=read_files(_FOLDER, "network.css"),
    js=DRAWING_JS + read_files(_FOLDER, "message.js", "picture.js", "network.js"),
)


def show_network(data: bytes, key: str, on_block: Callable[[], None]) -> None:
    """Show the overview; the block to unfold is in ``st.session_state[key]["block"]``, empty for none.

    Args:
        data: a packed overview whose header also has ``id``, ``network``, ``file``, ``words``, ``classes``, ``shares``.
        key: of the component.
        on_block: called when a block was unfolded, or all shall be folded again.
    """
    _network(data=data, key=key, default={"block": None}, on_block_change=on_block)


def list_words() -> dict[str, Any]:
    """What the overview says, in the visitor's language; names in braces are filled in by the browser."""
    return {
        "label": _(
            "The network from left to right. Arrow keys move between maps, Enter pins a unit of one, Escape lets go."
        ),
        "play": _("Run the image through"),
        "pause": _("Pause"),
        "back": _("One layer back"),
        "next": _("One layer further"),
        "at": _("{n} of {all}: {layer}"),
        "large": _("Large type"),
        "full": _("Full screen"),
        "png": "PNG",
        "svg": "SVG",
        "more": _("{n} weaker channels are folded away"),
        "features": _("{n} features"),
        "unfold": _("Unfold {n} layers"),
        "refold": _("Fold the block again"),
        "input": _("Input"),
        "answer": _("Probability"),
        "map": _("{layer}, channel {channel}: mean {mean}"),
        "feature": _("{layer}, feature {channel}: {mean}"),
        "hint": _(
            "Point at a map to see what feeds it for this image. Click to read the arithmetic of one unit below."
        ),
        "hint_touch": _("Tap a map to enlarge it and to see what feeds it for this image."),
        "click": _("Click a place in the map to read the arithmetic of that unit below."),
        "click_big": _("Tap a place in the enlarged map to read the arithmetic of that unit below."),
        "enlarged": _("The map, enlarged; a click pins a unit"),
        "fed": _("From channels, summed over the map:"),
        "range": _("Colors of this layer run from {low} to {high}."),
        "rest": _("the other {n} channels of {layer}"),
        "inside": _("from layers that are folded away"),
        "mixed": _("every channel of {layer} may count: this is no sum over channels"),
        "same": _("channel {channel} of {layer}, and nothing else"),
        "table": _("The strongest channels as a table"),
        "heads": [_("Layers"), _("Output"), _("Channel: mean value")],
    }
