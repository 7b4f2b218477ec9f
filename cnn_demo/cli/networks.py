"""How a command names a network: ``--net REF``, or ``--model RUN --step N``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cnn_demo.cli.output import EXIT_USAGE, CommandFailed

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel

REFERENCE = "shipped, RUN, RUN@STEP, RUN@best, untrained:MODEL or imagenet:resnet18"


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--net``, ``--model`` and ``--step``."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--net", metavar="REF", help=f"{REFERENCE} (default: the model that ships)")
    which.add_argument("--model", metavar="RUN", help="id of a run; the same as --net RUN")
    add_step_option(parser)


def add_step_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--step``."""
    parser.add_argument(
        "--step",
        type=int,
        help="the run's checkpoint at this step (default: the newest of a run that trains; once it has ended the best "
        "by validation, where one was recorded)",
    )


def load_network(*names: str | None, step: int | None = None) -> LoadedModel:
    """Load the network that a command line names, the one that ships where it names none.

    Args:
        names: what the options say; the first that is there counts.
        step: of a run named without one.

    Raises:
        CommandFailed: it cannot be loaded, or no network is called so.
    """
    from cnn_demo.models.imagenet import WeightsUnavailable
    from cnn_demo.prediction.load import load_model
    from cnn_demo.runs.records import RunNotFound
    from cnn_demo.runs.store import Store
    from cnn_demo.settings.reference import ModelRef
    from cnn_demo.settings.registry import UnknownName
    from cnn_demo.training.snapshot import CheckpointUnreadable

    try:
        ref = ModelRef.parse(next(filter(None, names), "shipped"))
        if ref.kind == "run" and step is not None:
            ref = ref.at(step)
        return load_model(ref, Store())
    except (RunNotFound, CheckpointUnreadable, WeightsUnavailable) as error:
        raise CommandFailed(str(error)) from error
    except (ValueError, UnknownName) as error:
        raise CommandFailed(str(error), EXIT_USAGE) from error
