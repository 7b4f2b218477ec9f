"""``python -m cnn_demo evaluate``: loss and accuracy of a run, or of the model that ships, on a test split."""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import asdict
from typing import Any

from cnn_demo.cli.networks import REFERENCE, add_step_option, load_network
from cnn_demo.cli.output import EXIT_USAGE, CommandFailed, add_json_option, complain, give, versions
from cnn_demo.datasets.specs import DatasetSpec, get_spec, list_specs
from cnn_demo.settings.config import ConfigError
from cnn_demo.settings.registry import UnknownName


def add_parser(subparsers: Any) -> None:
    """Add ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="loss and accuracy on a test split",
        description="Loss and accuracy of a run, or of the model that ships, on a test split.",
    )
    parser.add_argument("network", nargs="?", metavar="REF", help=f"{REFERENCE} (default: the model that ships)")
    add_step_option(parser)
    names = ", ".join(spec.name for spec in list_specs())
    parser.add_argument("--dataset", help=f"{names} (default: the one that the model was trained on)")
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:N (default: %(default)s)")
    add_json_option(parser)


def overlap(trained_on: str, dataset: str) -> str:
    """A warning where the test split of ``dataset`` was seen in training on ``trained_on``; else an empty text."""
    if trained_on == "mnist" and dataset == "mnist-mini":
        return (
            "the test digits of mnist-mini belong to MNIST's training set, which this model was trained on:"
            " not a fair test"
        )
    return ""


def _check_shape(own: DatasetSpec, other: DatasetSpec) -> None:
    if (own.channels, own.size, len(own.classes)) != (other.channels, other.size, len(other.classes)):
        raise CommandFailed(
            f"a model for {own.name} cannot read {other.name}: its images are"
            f" {other.channels} × {other.size} × {other.size} in {len(other.classes)} classes",
            EXIT_USAGE,
        )


def run(args: argparse.Namespace) -> int:
    """Evaluate and report."""
    from cnn_demo.datasets.device_dataset import DeviceDataset
    from cnn_demo.datasets.download import DatasetUnavailable
    from cnn_demo.datasets.load import load_dataset
    from cnn_demo.prediction.captions import measure_held_out
    from cnn_demo.training.device import resolve_device
    from cnn_demo.training.evaluate import evaluate
    from cnn_demo.training.objectives import create_objective

    try:
        if args.dataset is not None:
            get_spec(args.dataset)
        device = resolve_device(args.device)
        loaded = load_network(args.network, step=args.step)
        spec = get_spec(args.dataset or loaded.spec.name)
        _check_shape(loaded.spec, spec)
        data = load_dataset(spec.name)
    except (UnknownName, ConfigError) as error:
        return complain(error, EXIT_USAGE)
    except CommandFailed as error:
        return complain(error, error.status)
    except DatasetUnavailable as error:
        return complain(error)
    # The images are normalized as in training, whatever data set they come from.
    split = DeviceDataset(data.test, loaded.spec, device)
    # A loaded model is shared and stays where it is.
    model = loaded.model if device.type == "cpu" else copy.deepcopy(loaded.model).to(device)
    began = time.perf_counter()
    result = evaluate(model, split, create_objective(loaded.config.model, loaded.spec, device))
    seconds = time.perf_counter() - began
    held_out = measure_held_out(loaded, data.test) if spec.classes == loaded.spec.classes else None
    warning = overlap(loaded.config.dataset, spec.name)
    if args.json:
        give(
            {
                "run_id": loaded.run_id,
                "step": loaded.step,
                "dataset": spec.name,
                "trained_on": loaded.config.dataset,
                "n": result.n,
                "accuracy": result.accuracy,
                "loss": result.loss,
                "seconds": seconds,
                "samples_per_second": result.n / seconds,
                "device": str(device),
                "held_out": asdict(held_out) if held_out else None,
                "warning": warning or None,
                "versions": versions(),
            }
        )
    else:
        print(
            f"{loaded.run_id} on the test split of {spec.name}: accuracy {result.accuracy:.2%},"
            f" loss {result.loss:.4f} (n = {result.n:,})"
        )
        if held_out:
            print(
                f"class {loaded.classes[held_out.label]}, held out of training: {held_out.found} of {held_out.n} found"
                f" by its captions; {held_out.others_right} of {held_out.others_n} others right,"
                f" {held_out.others_taken} wrongly called {loaded.classes[held_out.label]}"
            )
        if warning:
            print(f"note: {warning}")
    return 0
