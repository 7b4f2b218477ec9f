"""``python -m cnn_demo models``: the networks that can be trained, with their sizes and options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.output import EXIT_USAGE, add_json_option, complain, give
from cnn_demo.datasets.specs import get_spec
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.description import Setting
from cnn_demo.settings.errors import fill
from cnn_demo.settings.registry import Entry, UnknownName

if TYPE_CHECKING:
    from cnn_demo.datasets.specs import DatasetSpec


def add_parser(subparsers: Any) -> None:
    """Add ``models``."""
    parser = subparsers.add_parser(
        "models",
        help="the networks that can be trained",
        description="The networks that can be trained: learnt values, multiply-adds for one image, options.",
    )
    parser.add_argument(
        "--dataset", default="mnist-mini", metavar="NAME", help="for the images of this data set (default: mnist-mini)"
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """List the models in the order of their table."""
    try:
        spec = get_spec(args.dataset)
    except UnknownName as error:
        return complain(error, EXIT_USAGE)
    found = [describe_model(entry, spec) for entry in MODELS]
    if args.json:
        give({"dataset": spec.name, "channels": spec.channels, "size": spec.size, "models": found})
        return 0
    print(f"{'name':16} {'parameters':>12} {'multiply-adds':>14}  options")
    for model in found:
        options = ", ".join(f"--{option['flag']} {option['default']}" for option in model["options"])
        print(f"{model['name']:16} {model['parameters']:12,} {model['multiply_adds']:14,}  {options}")
    return 0


def describe_model(entry: Entry, spec: DatasetSpec) -> dict[str, Any]:
    """A model with its default options, for the images of a data set, as plain data."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from cnn_demo.models.registry import count_parameters, create_configured_model
    from cnn_demo.settings.config import TrainConfig

    model = create_configured_model(TrainConfig(dataset=spec.name, model=entry.name), spec).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, spec.channels, spec.size, spec.size))
    return {
        "name": entry.name,
        "title": entry.title,
        "help": entry.help,
        "parameters": count_parameters(model),
        "multiply_adds": counter.get_total_flops() // 2,
        "options": [_describe_option(option) for option in entry.options],
    }


def _describe_option(option: Setting) -> dict[str, Any]:
    message, values = option.kind.expected()
    return {
        "name": option.name,
        "flag": option.name.replace("_", "-"),
        "default": option.default,
        "expected": fill(message, values),
        "help": option.help,
    }
