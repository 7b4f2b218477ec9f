"""What to try next: one thing to change, and what one will see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cnn_demo.locales import N_
from cnn_demo.runs.records import Run, RunState
from cnn_demo.ui.shared import launching, layout
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.start import reading, steps, training


@dataclass(frozen=True)
class Trial:
    """The first network with one thing changed.

    Attributes:
        title: what is changed, in English; also the name of the run.
        sees: what one will see, in English.
        changes: the setting.
    """

    title: str
    sees: str
    changes: Mapping[str, Any]


# What is said was seen on 1,600 validation images of MNIST-mini: 98.7% as it is, 91.2% with the small rate, 10.7% with
# the large one (one seed, the other 6,400 images trained on).
TRIALS: tuple[Trial, ...] = (
    Trial(
        N_("Learning rate 100 times smaller"),
        N_("Each step is tiny: the error falls slowly, your digit’s bars grow slowly, and it ends less sure."),
        {"lr": 0.0001},
    ),
    Trial(
        N_("Learning rate 300 times larger"),
        N_("Each step leaps too far: the error stays where guessing is, and few of the ten digits ever turn right."),
        {"lr": 3.0},
    ),
)


def show_next_step(own: Sequence[Run]) -> None:
    """The first trial that this visitor has not made yet, once she has a network that is finished.

    Args:
        own: her networks, the newest first.
    """
    if not own or own[0].state is not RunState.FINISHED:
        return
    layout.section(_("Change one thing"))
    base, made = training.first_config(), [run.config for run in own]
    st.fragment(_show_trial)(next((t for t in TRIALS if base.replace(**t.changes) not in made), None), own[0].id)


def _show_trial(trial: Trial | None, newest: str) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium", key="first-next"):
        if trial is None:
            words = _("You have seen what the learning rate does. Now change what you like.")
            st.markdown(f"**{words}**", width="stretch")
            st.page_link(training.TRAIN_PAGE, label=_("Train a network"), icon=":material/show_chart:", width="content")
            return
        title = _(trial.title)
        st.markdown(f"**{title}**  \n{_(trial.sees)}", width="stretch")
        token = launching.launch_token(training.PLACE)
        st.button(
            _("Try it"),
            key=f"first-trial:{token}",
            icon=":material/science:",
            on_click=_launch,
            args=(trial, token, title, newest),
        )
        if st.session_state.pop(_LAUNCHED, False):
            st.rerun()  # the steps stand outside this fragment


_LAUNCHED = "start:trial-launched"


def _launch(trial: Trial, token: str, title: str, newest: str) -> None:
    image = steps.get_shown_picture()
    if image is None:
        image = reading.load_watched_drawing(newest)
    training.launch(training.first_config().replace(**trial.changes), token, image, title)
    st.session_state[_LAUNCHED] = True
    steps.ask_to_scroll_up()
