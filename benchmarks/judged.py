"""What the measurements of one model's judgment share: the model and its calibration, and what it says of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.prediction.calibration import Calibration, judge
from cnn_demo.prediction.load import SHIPPED, LoadedModel, load_shipped
from cnn_demo.runs.checkpoints import load_model
from cnn_demo.runs.store import Store

_BATCH = 500


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``."""
    parser.add_argument("--model", metavar="RUN", help="id of a run (default: the model that ships)")


@dataclass(frozen=True, slots=True)
class Judged:
    """A model that is measured; only the one that ships is calibrated."""

    loaded: LoadedModel
    calibration: Calibration | None

    @property
    def spec(self) -> DatasetSpec:
        """What its inputs are like."""
        return self.loaded.spec

    @torch.inference_mode()
    def say(self, inputs: Sequence[torch.Tensor]) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
        """The answer to each input ``(1, C, H, W)``, and the kind of verdict (empty without a calibration)."""
        logits = torch.cat(
            [self.loaded.model(torch.cat(list(inputs[i : i + _BATCH]))) for i in range(0, len(inputs), _BATCH)]
        )
        kinds = [judge(z, self.calibration).kind if self.calibration else "" for z in logits]
        return logits.argmax(1).numpy(), np.array(kinds)

    def print_verdicts(self, kinds: NDArray[np.str_], right: NDArray[np.bool_]) -> None:
        """A line for each kind of verdict: how often, and how often the answer was right then."""
        for kind in sorted(set(kinds)) if self.calibration else ():
            print(f"  {kind}: {np.mean(kinds == kind):.1%}, right in {right[kinds == kind].mean():.1%} of them")


def chosen(args: argparse.Namespace) -> Judged:
    """The model that ``--model`` names."""
    if args.model:
        return Judged(load_model(Store(), args.model), None)
    return Judged(load_shipped(), Calibration.load(SHIPPED / "calibration.json"))
