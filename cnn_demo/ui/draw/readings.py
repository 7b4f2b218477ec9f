"""Each chosen network's reading of the picture, or what stands in its way. Imports torch when it is first asked."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.runs.records import RunNotFound
from cnn_demo.ui.draw import networks
from cnn_demo.ui.draw.networks import Network
from cnn_demo.ui.draw.pad import Picture
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.drawing.prepare import Drawing
    from cnn_demo.prediction.calibration import Calibration
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.prediction.predictor import Reading

_WAKING = "draw:waking"


@dataclass(frozen=True)
class Answer:
    """One network and the picture.

    Attributes:
        network: which.
        problem: why there is no reading, in the visitor's language; "" otherwise.
        loaded: the network itself; None with a problem.
        drawing: the picture as it was prepared for this network.
        reading: what the network makes of it.
        calibration: what the words rest on; None for raw probabilities.
        calibrating: whether a calibration is being made.
    """

    network: Network
    problem: str = ""
    loaded: LoadedModel | None = None
    drawing: Drawing | None = None
    reading: Reading | None = None
    calibration: Calibration | None = None
    calibrating: bool = False

    @property
    def spec(self) -> DatasetSpec:
        assert self.loaded is not None
        return self.loaded.spec

    def word(self, label: int) -> str:
        """The name of a class."""
        return _(self.spec.classes[label])


def torch_loaded() -> bool:
    """Whether networks can be had at once. On a server's first visit torch is loaded only after the pad is there."""
    return "cnn_demo.prediction.predictor" in sys.modules and "cnn_demo.runs.checkpoints" in sys.modules


def load_torch() -> None:
    """Say that the networks are being loaded, and load them as soon as the browser has painted the pad."""
    st.session_state[_WAKING] = False
    st.fragment(_load_torch, run_every=0.7)()


def _load_torch() -> None:
    words = _("Loading the network… you can draw already.")
    st.html(f'<div class="draw-loading" role="status">{words}</div>')
    if not st.session_state[_WAKING]:  # the first time this is part of painting the page; the timer brings us back
        st.session_state[_WAKING] = True
        return
    import cnn_demo.prediction.predictor
    import cnn_demo.runs.checkpoints  # noqa: F401

    st.rerun()


def read_drawing(chosen: list[Network], picture: Picture) -> list[Answer]:
    """All networks' readings. A picture is prepared once for each kind of data set."""
    import numpy as np

    from cnn_demo.drawing.prepare import prepare

    prepared: dict[str, Drawing] = {}
    answers = []
    for network in chosen:
        loaded, problem = _loaded(network)
        if loaded is None:
            answers.append(Answer(network, problem))
            continue
        spec = loaded.spec
        kind = "digits" if spec.digits else spec.name
        if kind not in prepared:
            blank = np.zeros((28, 28), np.uint8)
            prepared[kind] = prepare(blank if picture.image is None else picture.image, spec)
        answers.append(_answer(network, loaded, prepared[kind]))
    return answers


def _loaded(network: Network) -> tuple[LoadedModel | None, str]:
    from cnn_demo.training.snapshot import CheckpointUnreadable

    if network.missing:
        if network.pick.step is not None:
            return None, _("It has no checkpoint at step {step}.").format(step=network.pick.step)
        return None, _("It has no checkpoint yet; the first comes as soon as it trains.")
    try:
        return networks.load(network), ""
    except RunNotFound:
        return None, _("This run was deleted. Choose another network; your drawing stays.")
    except CheckpointUnreadable as error:
        return None, _("This checkpoint cannot be read: {reason}").format(reason=error.reason)


def _answer(network: Network, loaded: LoadedModel, drawing: Drawing) -> Answer:
    from cnn_demo.prediction.predictor import UNCALIBRATED, predict_drawing

    known = networks.calibration(network, loaded)
    return Answer(
        network,
        loaded=loaded,
        drawing=drawing,
        reading=predict_drawing(loaded.model, drawing, loaded.spec, known or UNCALIBRATED),
        calibration=known,
        calibrating=known is None and networks.calibrating(network, loaded),
    )


def watch(chosen: list[Network]) -> None:
    """Move on by itself when a followed run has a newer checkpoint or ends."""
    following = [n for n in chosen if n.following]
    st.fragment(_watch, run_every=1.0 if following else None)(following)


def _watch(following: list[Network]) -> None:
    store = networks.get_store()
    for network in following:
        if network.run is None or store.version(network.run.id) == network.run.version:
            continue
        try:
            run = store.get(network.run.id)
        except RunNotFound:
            st.rerun()
        newest = store.checkpoints(run.id)
        known = network.checkpoint.step if network.checkpoint else None
        if not run.state.active or (newest and newest[-1].step != known):
            st.rerun()
