"""What the measurements of one model's judgment share: the model and its calibration, and what it says of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnn_demo.cli.networks import REFERENCE, load_network
from cnn_demo.drawing.prepare import Drawing
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.predictor import Predictor


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``."""
    parser.add_argument("--model", metavar="REF", help=f"{REFERENCE} (default: the model that ships)")


def choose_predictor(args: argparse.Namespace) -> Predictor:
    """The network that ``--model`` names, with its calibration where it has one."""
    loaded = load_network(args.model)
    return Predictor(loaded, load_calibration(loaded))


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of many drawings.

    Attributes:
        tops: ``(N,)``, the number of the most probable class.
        kinds: ``(N,)``, the kind of the verdict; empty texts without a calibration.
    """

    tops: NDArray[np.int64]
    kinds: NDArray[np.str_]

    def print_verdicts(self, right: NDArray[np.bool_]) -> None:
        """A line for each kind of verdict: how often, and how often the answer was right then."""
        for kind in filter(None, sorted(set(self.kinds))):
            own = self.kinds == kind
            print(f"  {kind}: {own.mean():.1%}, right in {right[own].mean():.1%} of them")


def collect_answers(predictor: Predictor, drawings: Sequence[Drawing]) -> Answers:
    """Ask a network about drawings."""
    verdicts = [prediction.verdict for prediction in predictor.predict_drawings(drawings)]
    kinds = [verdict.kind if predictor.calibration else "" for verdict in verdicts]
    return Answers(np.array([verdict.top for verdict in verdicts]), np.array(kinds))
