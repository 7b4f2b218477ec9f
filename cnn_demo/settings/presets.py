"""Named sets of changes to the defaults, for the form and for ``train --preset``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnn_demo.locales import N_


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of changes to the defaults.

    Attributes:
        name: what the command line says.
        title: the name for people, in English.
        about: what it is for, in English.
        changes: settings and options by name.
    """

    name: str
    title: str
    about: str
    changes: Mapping[str, Any]


PRESETS: tuple[Preset, ...] = (
    # What the Start page trains: good after some seconds, with the images that ship.
    Preset(
        "first",
        N_("First network"),
        N_("Tiny and fast: from guessing to knowing in a few seconds."),
        {"model": "cnn-tiny", "epochs": 6, "lr": 0.01, "schedule": "one-cycle", "peak_at": 0.15},
    ),
    Preset(
        "quick", N_("Quick look"), N_("One pass over the small data set, to see how everything works."), {"epochs": 1}
    ),
    Preset(
        "standard",
        N_("Standard"),
        N_("The plain CNN on the small data set, with the settings that most runs start from."),
        {},
    ),
    Preset(
        "early",
        N_("Stop at the best"),
        N_("Up to 40 epochs; it ends when the validation loss has stopped falling, and keeps the best weights."),
        {"epochs": 40, "val_fraction": 0.1, "patience": 5},
    ),
    # What most tutorials write: two convolutions and Adam.
    Preset(
        "textbook",
        N_("Textbook"),
        N_("What most tutorials write: two convolutions and Adam, ten epochs on all of MNIST."),
        {"dataset": "mnist", "optimizer": "adam"},
    ),
    # Better in less time, with what has been found since.
    Preset(
        "modern",
        N_("Modern"),
        N_("Batch normalization, one cycle of the learning rate, random changes: better than Textbook in less time."),
        {
            "dataset": "mnist",
            "model": "cnn-deep",
            "epochs": 4,
            "lr": 0.005,
            "schedule": "one-cycle",
            "weight_decay": 0.02,
            "augment": "random",
        },
    ),
    # 99% as soon as may be; light enough for a whole class to run at once.
    Preset(
        "race",
        N_("Race to 99%"),
        N_("Right on 99 of 100 test images of MNIST as soon as may be: one epoch of a tiny network."),
        {
            "dataset": "mnist",
            "model": "cnn-tiny",
            "epochs": 1,
            "label_smoothing": 0.1,
            "lr": 0.02,
            "schedule": "one-cycle",
            "peak_at": 0.15,
        },
    ),
    # The best that was measured with one small network, however long it takes.
    Preset(
        "record",
        N_("Record"),
        N_(
            "The best of one small network here on MNIST's test images. Drawings on the pad it reads worse: it has "
            "seen no pens. It takes an hour on a CPU."
        ),
        {
            "dataset": "mnist",
            "model": "cnn-unpadded",
            "epochs": 30,
            "lr": 0.003,
            "schedule": "cosine-warmup",
            "weight_decay": 0.05,
            "ema": 0.999,
            "precision": "bf16",
            "augment": "random",
            "rotation": 15.0,
            "translation": 3.0,
        },
    ),
    Preset(
        "fashion",
        N_("Fashion"),
        N_("Clothes instead of digits, mirrored, shifted and scaled: better than Textbook on them. It takes a while."),
        {
            "dataset": "fashion-mnist",
            "model": "cnn-unpadded",
            "lr": 0.004,
            "schedule": "one-cycle",
            "weight_decay": 0.05,
            "precision": "bf16",
            "augment": "random",
            "rotation": 0.0,
            "flip": 0.5,
        },
    ),
    Preset(
        "handwriting",
        N_("Real handwriting"),
        N_("Learns from pen strokes too, so that it reads what people draw on the pad."),
        {
            "dataset": "mnist",
            "epochs": 20,
            "lr": 0.002,
            "schedule": "cosine",
            "weight_decay": 0.03,
            "ema": 0.999,
            "augment": "handwriting",
            "val_fraction": 0.1,
        },
    ),
)


def find_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        KeyError: there is none.
    """
    return {preset.name: preset for preset in PRESETS}[name]
