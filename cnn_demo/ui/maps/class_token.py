"""Whose arithmetic a layer of tokens shows: the token that was clicked, or the class token, which is on no map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.ui.shared import i18n
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.inspect.tokens import TokenGrid

_KEY, _PIN = "maps:token", "maps:token-pin"


def choose_token(tokens: TokenGrid, pin: dict[str, Any]) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Offer the class token beside the one that was clicked; a new click goes back to that one.

    Args:
        tokens: how the tokens of the pinned unit's layer lie in the image.
        pin: the pinned unit: layer, channel, y, x.

    Returns:
        Where the layer has the number that is asked for, and what the arithmetic is told of it.
    """
    clicked = tokens.index(pin["channel"], pin["y"], pin["x"])
    if not tokens.extra:
        return clicked, {}
    if st.session_state.get(_PIN) != pin or _KEY not in st.session_state:
        st.session_state[_PIN], st.session_state[_KEY] = pin, "clicked"
    titles = {"clicked": _("token ({y}, {x})").format(y=pin["y"], x=pin["x"]), "class": _("class token")}
    chosen = st.segmented_control(
        _("Arithmetic of"),
        list(titles),
        key=_KEY,
        format_func=i18n.worded(titles, titles.__getitem__),
        required=True,
        help=_(
            "The class token has no place in the image, so no map shows it. It gathers from the other tokens what the "
            "last layer reads."
        ),
    )
    if chosen != "class":
        return clicked, {}
    return tokens.index_of_token(pin["channel"], 0), {"token": titles["class"]}
