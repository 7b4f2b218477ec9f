"""``python -m cnn_demo lr-find``: the learning-rate range test, for the settings of a run."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.output import EXIT_FAILED, EXIT_USAGE, add_json_option, complain, give, versions
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.flags import add_flags, read_flags

if TYPE_CHECKING:
    from cnn_demo.training.lr_range import RangePoint, RatePlan


def add_parser(subparsers: Any) -> None:
    """Add ``lr-find``."""
    parser = subparsers.add_parser(
        "lr-find",
        help="try rising learning rates and suggest one",
        description="Train for some steps with a learning rate that rises, and suggest a tenth of the rate at which "
        "the loss was lowest. Nothing is kept. The settings are those of `train`; --lr and --schedule do not matter.",
    )
    parser.add_argument("--low", type=float, default=1e-6, metavar="RATE", help="the first rate (default: 1e-06)")
    parser.add_argument("--high", type=float, default=1.0, metavar="RATE", help="the last rate (default: 1)")
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="how many rates are tried (default: 100)")
    add_json_option(parser)
    add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Try the rates; with ``--json`` a failure is told in the object too, so that a program can say why."""
    from cnn_demo.datasets.download import DatasetUnavailable
    from cnn_demo.training.lr_range import RangeFailed, RatePlan, find_rate

    try:
        config, plan = read_flags(args), RatePlan(args.low, args.high, args.steps)
    except ConfigError as error:
        return complain(error, EXIT_USAGE)
    points: list[RangePoint] = []
    started = time.perf_counter()
    told: dict[str, Any] = {"dataset": config.dataset, "model": config.model, "optimizer": config.optimizer}
    told |= {"device": config.device, "batch_size": config.batch_size, "seed": config.seed}
    try:
        _sweep(config, plan, points)
        result = find_rate(points, plan)
    except (RangeFailed, ConfigError, DatasetUnavailable, RuntimeError) as error:
        kind = error.kind if isinstance(error, RangeFailed) else "other"
        if isinstance(error, ConfigError):
            kind, told["config_error"] = "config", error.to_dict()
        if args.json:
            give({**told, "points": [astuple(p) for p in points], "error": str(error), "error_kind": kind})
        return complain(error, EXIT_USAGE if kind == "config" else EXIT_FAILED)
    told |= {"suggestion": result.suggestion, "lowest_at": result.lowest_at, "exploded": result.exploded}
    if args.json:
        seconds = round(time.perf_counter() - started, 3)
        give({**told, "points": [astuple(p) for p in points], "seconds": seconds, "versions": versions()})
        return 0
    for point in result.points[:: max(1, len(result.points) // 20)]:
        print(f"{point.lr:10.3g}  loss {point.average:.4f}")
    end = "the loss exploded after that" if result.exploded else "the loss did not explode"
    print(f"lowest loss at {result.lowest_at:.3g} ({end}); suggested learning rate: {result.suggestion:g}")
    return 0


def _sweep(config: TrainConfig, plan: RatePlan, points: list[RangePoint]) -> None:
    """Fill ``points``, and tell on standard error how far it is."""
    from cnn_demo.training.lr_range import sweep_rates

    for point in sweep_rates(config, plan):
        points.append(point)
        if len(points) % 5 == 0:
            print(f"{len(points)}/{plan.steps}", file=sys.stderr, flush=True)
