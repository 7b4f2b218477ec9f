"""The network that is looked into, loaded; where it cannot be loaded, the page says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.runs.records import RunNotFound
from cnn_demo.ui.shared import layout, picker
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel


def choose_network() -> LoadedModel | None:
    """The selectors for network and checkpoint; None where it cannot be loaded (the page has said why)."""
    network = picker.choose_network()
    if network.missing:
        st.info(_("It has no checkpoint yet; the first comes as soon as it trains."), icon=":material/hourglass_empty:")
        return None
    from cnn_demo.models.imagenet import WeightsUnavailable
    from cnn_demo.training.snapshot import CheckpointUnreadable

    try:
        with st.spinner(_("Loading the network…"), show_time=False):
            return picker.load_network(network)
    except WeightsUnavailable as error:
        st.warning(
            _("The ImageNet weights cannot be fetched from {url}: {reason}").format(
                url=f"`{error.url}`", reason=escape(error.reason)
            ),
            icon=":material/cloud_off:",
        )
        st.button(
            _("Use random weights instead"),
            on_click=picker.put_networks,
            args=([picker.PHOTO_RANDOM],),
            type="primary",
            help=_("The shapes, receptive fields and arithmetic are the same; the answers mean nothing."),
        )
    except CheckpointUnreadable as error:
        st.error(_("This checkpoint cannot be read: {reason}").format(reason=escape(error.reason)))
    except RunNotFound:
        layout.not_found(_("This run was deleted meanwhile."))
    return None
