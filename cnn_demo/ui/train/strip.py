"""The live strip of a run on the Train page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.ui.components.strip import show_strip
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.runs.records import Run


def show_run_strip(data: bytes, run: Run) -> None:
    """Heading and strip.

    Args:
        data: from :func:`cnn_demo.ui.shared.run_strip.pack_run_strip`.
        run: whose strip it is.
    """
    # A drawing that is watched may be among the drawings that a run is fine-tuned on.
    title, learns = _("What it reads"), bool(run.config.collection)
    about = _("your drawings and test images") if learns else _("pictures that it never learns from")
    st.markdown(
        f"**{title}** :small[:gray[{about}]]",
        help=_(
            "Your drawings first, then one test image of each class. To have a digit of yours watched, draw it on the "
            "Draw page and choose “Watch while training” before you start a run."
        ),
    )
    show_strip(data, f"strip:{run.id}")
