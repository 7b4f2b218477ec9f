"""Draw: write a digit, see what the network makes of it, and ask why."""

import streamlit as st

from cnn_demo.ui.components.pad import SIDE, rerun_when_at_rest
from cnn_demo.ui.draw import pad, predictions, sections, style
from cnn_demo.ui.shared import layout, picker
from cnn_demo.ui.shared.i18n import _

style.apply()
layout.page_header(
    _("Draw"),
    _("Write a digit and see at once what the network makes of it, and why."),
    help=_(
        "Your strokes are prepared exactly as MNIST's digits were: cropped, scaled so that the longer side is 20 "
        "pixels, and centered by mass in 28 × 28. No other visitor sees what you draw."
    ),
)
chosen = picker.choose_networks(most=3)


@st.fragment
def drawing() -> None:
    """What runs while the pen moves: the pad and the answer, nothing else."""
    row = st.container(horizontal=True, gap="large", key="draw-row")
    spec = chosen[0].spec if chosen else None
    with row.container(width=SIDE + 8), pad.choose_picture(spec) as picture, row.container(key="draw-answer"):
        sections.show_prediction(chosen, picture)


@st.fragment
def closer_look() -> None:
    """What takes longer runs when the pen rests."""
    rerun_when_at_rest(pad.PAD)
    sections.show_closer_look()


drawing()
closer_look()
predictions.watch_followed(chosen)
