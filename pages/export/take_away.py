"""Take away: a network as files, with proof that they still answer as PyTorch does."""

import streamlit as st

from cnn_demo.ui.shared import layout
from cnn_demo.ui.shared.i18n import _

layout.page_header(
    _("Take away"),
    _("Export a network in the format you need, with a receipt: does it still answer as PyTorch does?"),
    help=_(
        "The files are made on this machine, in a process of their own, and kept for whoever asks for the same. A file "
        "that misses its threshold is marked. The same on the command line: python -m cnn_demo export --help"
    ),
)

# The heading is on its way before the rest is imported, see ``page_header``.
from cnn_demo.ui.export import choices, making  # noqa: E402

wish = choices.choose_wish()
if wish is not None:
    making.show_making(wish)
st.caption(_("To call a network over HTTP: python -m cnn_demo serve, see README."))
