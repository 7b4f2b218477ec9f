"""``python -m cnn_demo export``: take a network home in a format of the table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cnn_demo.cli.networks import REFERENCE, add_step_option, load_network
from cnn_demo.cli.output import CommandFailed, add_json_option, complain, give, say
from cnn_demo.export.formats import FORMATS, ExportFailed, list_missing


def add_parser(subparsers: Any) -> None:
    """Add ``export``."""
    described = "; ".join(f"{entry.name}: {entry.help}" for entry in FORMATS)
    parser = subparsers.add_parser(
        "export", help="take a network home", description=f"Write a network as a file. Formats: {described}"
    )
    parser.add_argument("network", nargs="?", metavar="REF", help=f"{REFERENCE} (default: the model that ships)")
    add_step_option(parser)
    parser.add_argument("--format", required=True, choices=FORMATS.names, help="one of %(choices)s")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where the file goes (default: here)"
    )
    for entry in FORMATS:
        for option in entry.options:
            parser.add_argument(
                f"--{option.name}",
                action=argparse.BooleanOptionalAction,
                default=option.default,
                help=f"{option.help} ({entry.name}; default: %(default)s)",
            )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Export and say where the file is."""
    entry = FORMATS.get(args.format)
    if missing := list_missing(entry.name):
        return complain(f"{entry.name} needs {', '.join(missing)}: pip install -r requirements.txt")
    try:
        loaded = load_network(args.network, step=args.step)
        args.out.mkdir(parents=True, exist_ok=True)
        options = {option.name: getattr(args, option.name) for option in entry.options}
        made = entry.load()(loaded, args.out, options, _show_progress)
    except CommandFailed as error:
        return complain(error, error.status)
    except ExportFailed as error:
        return complain(error)
    size = made.path.stat().st_size
    say(f"{made.path}: {size:,} bytes", args)
    if args.json:
        give({"network": loaded.key, "format": entry.name, "path": str(made.path), "bytes": size, **made.facts})
    return 0


def _show_progress(part: float) -> None:
    print(f"\r{part:4.0%}", end="" if part < 1 else "\n", file=sys.stderr, flush=True)
