"""Draw: write a digit, see what the network makes of it, and ask why."""

import streamlit as st

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
    row = st.container(horizontal=True, gap="large", key="draw-row")
    with row.container(width=pad.SIDE + 8):
        picture = pad.choose_picture(chosen[0].spec if chosen else None)
    with row.container(key="draw-answer"):
        if not chosen:
            sections.show_no_network()
            return
        if not predictions.torch_loaded():  # the pad does not wait for torch
            predictions.load_torch()
            return
        answers = sections.show_prediction(chosen, picture)
    sections.show_closer_look(answers, picture)


drawing()
predictions.watch_followed(chosen)
