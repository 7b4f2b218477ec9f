"""What a network makes of the visitor's picture and of ten test images, ready to send.

Imports torch when a network is asked for the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.runs.strip import UNKNOWN, Strip, WatchedPicture, load_drawings
from cnn_demo.settings.presets import find_preset
from cnn_demo.settings.reference import ModelRef
from cnn_demo.ui.components.strip import Look, pack_strip
from cnn_demo.ui.shared import i18n
from cnn_demo.ui.shared.run_strip import list_class_names
from cnn_demo.ui.shared.samples import load_samples
from cnn_demo.ui.shared.store import get_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnn_demo.prediction.predictor import Predictor
    from cnn_demo.runs.store import Store

DATASET = "mnist-mini"
UNTRAINED = ModelRef("untrained", str(find_preset("first").changes["model"]))
GROUP = "first"  # the digit and the test images show the same moment


def pack_blank(title: str) -> bytes:
    """The bars before anything is drawn."""
    picture = WatchedPicture(np.zeros((28, 28, 1), np.uint8), UNKNOWN, drawn=True)
    return _pack_moment([picture], np.zeros((1, 10)), Look("drawing", GROUP, title), DATASET)


def pack_reading(ref: ModelRef, image: NDArray[np.uint8], title: str) -> bytes:
    """What a network makes of a picture.

    Args:
        ref: the network.
        image: as for :func:`cnn_demo.drawing.prepare.prepare`.
        title: what is said above it.

    Raises:
        CheckpointUnreadable, RunNotFound: the network cannot be had.
    """
    from cnn_demo.runs.watching import as_watched

    predictor = _find_predictor(ref)
    (prediction,) = predictor.predict([image])
    if prediction.drawing.empty:
        return pack_blank(title)
    spec = predictor.loaded.spec
    picture = as_watched(prediction.drawing, spec)
    return _pack_moment([picture], np.array([prediction.probabilities]), Look("drawing", GROUP, title), spec.name)


def pack_samples(ref: ModelRef, title: str) -> bytes:
    """What a network makes of the first test image of each digit. Errors as for :func:`pack_reading`."""
    return _pack_samples(get_store(), str(ref), title, i18n.language())


def load_watched_drawing(run_id: str) -> NDArray[np.uint8] | None:
    """The drawing that a run was launched with; None where there was none."""
    return _load_watched_drawing(get_store(), run_id)


@st.cache_resource(show_spinner=False, max_entries=64)
def _load_watched_drawing(_store: Store, run_id: str) -> NDArray[np.uint8] | None:
    return next(iter(load_drawings(_store.folder(run_id))), None)


@st.cache_resource(show_spinner=False, max_entries=16)
def _pack_samples(_store: Store, ref: str, title: str, language: str) -> bytes:  # the language is a key
    import torch

    split, by_class = load_samples(DATASET)
    images = torch.stack([split.images[int(found[0])] for found in by_class])  # (10, 1, 28, 28)
    pictures = [
        WatchedPicture(image.permute(1, 2, 0).numpy(), label, drawn=False) for label, image in enumerate(images)
    ]
    probabilities = _find_predictor(ModelRef.parse(ref)).probabilities(images).numpy()
    return _pack_moment(pictures, probabilities, Look("samples", GROUP, title), DATASET)


def _find_predictor(ref: ModelRef) -> Predictor:
    from cnn_demo.prediction.calibration import load_calibration
    from cnn_demo.prediction.load import load_model
    from cnn_demo.prediction.predictor import Predictor

    loaded = load_model(ref, get_store())
    return Predictor(loaded, load_calibration(loaded))


def _pack_moment(
    pictures: list[WatchedPicture], probabilities: NDArray[np.floating], look: Look, dataset: str
) -> bytes:
    """One moment of some pictures: probabilities ``(N, classes)``."""
    strip = Strip(
        tuple(pictures),
        np.zeros(1, np.int64),
        np.zeros(1),
        probabilities[None].astype(np.float32),
        np.zeros((1, 0, 0, 0, 0), np.float32),
    )
    return pack_strip(strip, list_class_names(dataset, probabilities.shape[1]), look)
