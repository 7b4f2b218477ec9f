"""Each chosen network's answer to the picture, or what stands in its way. Imports torch when it is first asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.prediction.source import find_checkpoint
from cnn_demo.runs.records import RunNotFound
from cnn_demo.ui.draw import calibrations
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.picker import Network, load_network
from cnn_demo.ui.shared.store import get_store

if TYPE_CHECKING:
    from cnn_demo.drawing.prepare import Drawing
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.prediction.predictor import Prediction, Predictor


@dataclass(frozen=True)
class Unanswered:
    """A network that cannot answer, and why, in the visitor's language."""

    network: Network
    problem: str


@dataclass(frozen=True)
class Answer:
    """One network's answer to the picture.

    Attributes:
        network: which.
        predictor: the network itself, with its calibration.
        prediction: what it makes of the picture.
        calibrating: whether a calibration is being made.
    """

    network: Network
    predictor: Predictor
    prediction: Prediction
    calibrating: bool = False

    @property
    def loaded(self) -> LoadedModel:
        return self.predictor.loaded

    @property
    def spec(self) -> DatasetSpec:
        return self.loaded.spec

    @property
    def drawing(self) -> Drawing:
        return self.prediction.drawing

    def word(self, label: int) -> str:
        """The name of a class."""
        return _(self.spec.classes[label])


def predict_picture(chosen: list[Network], picture: Picture) -> list[Answer | Unanswered]:
    """All networks' answers. A picture is prepared once for each kind of data set."""
    prepared: dict[str, Drawing] = {}
    return [_answer(network, picture, prepared) for network in chosen]


def _answer(network: Network, picture: Picture, prepared: dict[str, Drawing]) -> Answer | Unanswered:
    from cnn_demo.prediction.predictor import Predictor
    from cnn_demo.training.snapshot import CheckpointUnreadable

    if network.missing:
        problem = _("It has no checkpoint yet; the first comes as soon as it trains.")
        if isinstance(network.ref.step, int):
            problem = _("It has no checkpoint at step {step}.").format(step=network.ref.step)
        return Unanswered(network, problem)
    try:
        loaded = load_network(network)
    except RunNotFound:
        return Unanswered(network, _("This run was deleted. Choose another network; your drawing stays."))
    except CheckpointUnreadable as error:
        return Unanswered(network, _("This checkpoint cannot be read: {reason}").format(reason=error.reason))
    known = None if network.following else calibrations.get_calibration(loaded)
    predictor = Predictor(loaded, known)
    kind = "digits" if loaded.spec.digits else loaded.spec.name
    if kind not in prepared:
        blank = np.zeros((28, 28), np.uint8)
        prepared[kind] = predictor.prepare(blank if picture.image is None else picture.image)
    (prediction,) = predictor.predict_drawings([prepared[kind]])
    calibrating = known is None and not network.following and calibrations.is_calibrating(loaded)
    return Answer(network, predictor, prediction, calibrating)


def predict_stages(answer: Answer) -> Answer:
    """The answer, with answers at every stage of the preparation: too much for every movement of the pen."""
    (prediction,) = answer.predictor.predict_drawings([answer.drawing], stages=True)
    return replace(answer, prediction=prediction)


def watch_followed(chosen: list[Network]) -> None:
    """Move on by itself when a followed run has a newer checkpoint or ends."""
    following = [n for n in chosen if n.following]
    st.fragment(_watch, run_every=1.0 if following else None)(following)


def _watch(following: list[Network]) -> None:
    store = get_store()
    for network in following:
        if network.run is None or store.version(network.run.id) == network.run.version:
            continue
        try:
            run = store.get(network.run.id)
            checkpoint = find_checkpoint(network.ref, store)
        except RunNotFound:
            st.rerun()
        known = network.checkpoint.step if network.checkpoint else None
        if not run.state.active or (checkpoint and checkpoint.step != known):
            st.rerun()
