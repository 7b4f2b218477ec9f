"""Launching a run from a button: once, however often it is clicked, and what stands in the way is said on the page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.runs import launcher
from cnn_demo.runs.records import Run
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.store import get_store
from cnn_demo.ui.shared.watched import list_pinned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def launch_token(place: str) -> str:
    """The token of a button's next launch. Put it into the button's key and into its call.

    Whatever a double click sends, it names the same launch; after a launch there is another token.

    Args:
        place: names the button.
    """
    return str(st.session_state.setdefault(f"launch:token:{place}", uuid.uuid4().hex))


def launch_run(
    place: str,
    token: str,
    config: Callable[[], TrainConfig],
    *,
    name: str = "",
    watched: Sequence[NDArray[np.uint8]] | None = None,
) -> Run | None:
    """Launch a run, in a callback. None where something stands in the way: :func:`take_problem` gives the words.

    Args:
        place: names the button.
        token: names the request; a second call with it gives the run of the first.
        config: gives the settings; called here, so that a value that cannot be used is said too.
        name: of the run, for people.
        watched: drawings that the run watches; by default those that are pinned.
    """
    try:
        drawings = list_pinned() if watched is None else watched
        run = launcher.launch(get_store(), config(), token=token, name=name, watched=drawings)
    except ConfigError as error:
        st.session_state[_problem(place)] = names.config_error(error)
        return None
    except OSError as error:
        st.session_state[_problem(place)] = _("The run could not be created: {reason}").format(reason=error)
        return None
    st.session_state.pop(f"launch:token:{place}", None)
    return run


def take_problem(place: str) -> str | None:
    """What stood in the way of the last launch, said once."""
    return st.session_state.pop(_problem(place), None)


def _problem(place: str) -> str:
    return f"launch:problem:{place}"
