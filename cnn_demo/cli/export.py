"""``python -m cnn_demo export``: take a network home in formats of the table, with proof that it still agrees."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.networks import REFERENCE, add_step_option, load_network
from cnn_demo.cli.output import CommandFailed, add_json_option, complain, give, say
from cnn_demo.export.formats import FORMATS, THRESHOLDS, Exported, ExportFailed, list_missing, write_install_command
from cnn_demo.export.whole_file import write_whole
from cnn_demo.locales import N_
from cnn_demo.settings.errors import fill
from cnn_demo.settings.flags import add_flag
from cnn_demo.settings.registry import Entry

if TYPE_CHECKING:
    from cnn_demo.export.receipt import Receipt
    from cnn_demo.prediction.load import LoadedModel


def add_parser(subparsers: Any) -> None:
    """Add ``export``."""
    described = "; ".join(f"{entry.name}: {entry.help}" for entry in FORMATS)
    parser = subparsers.add_parser(
        "export", help="take a network home", description=f"Write a network as a file. Formats: {described}"
    )
    parser.add_argument("network", nargs="?", metavar="REF", help=f"{REFERENCE} (default: the model that ships)")
    add_step_option(parser)
    parser.add_argument(
        "--format", required=True, nargs="+", choices=FORMATS.names, metavar="FORMAT", help="one or more of them"
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the files go (default: here)")
    parser.add_argument(
        "--receipt",
        action="store_true",
        help="also ask each of them about the whole test split and compare with PyTorch; kept beside them as JSON. "
        "A format that does not hold what it should ends the command with status 1",
    )
    for entry in FORMATS:
        for option in entry.options:
            add_flag(parser, option, {entry.name: option.default})
    must_hold = parser.add_argument_group("what must hold in the receipt")
    for threshold in THRESHOLDS:
        add_flag(must_hold, threshold, {})
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Export, compare where it was asked for, and say where the files are."""
    entries = [FORMATS.get(name) for name in dict.fromkeys(args.format)]
    for entry in entries:
        if missing := list_missing(entry.name):
            return complain(f"{entry.name} needs {', '.join(missing)}: {write_install_command(entry.name)}")
    from cnn_demo.datasets.download import DatasetUnavailable

    before = signal.signal(signal.SIGTERM, _end_in_order)
    try:
        loaded = load_network(args.network, step=args.step)
        args.out.mkdir(parents=True, exist_ok=True)
        made = {entry.name: _export(entry, loaded, args) for entry in entries}
        compared = {name: exported.path for name, exported in made.items() if FORMATS.get(name).facts.get("runs")}
        receipt = _write_receipt(loaded, compared, args) if args.receipt and compared else None
    except CommandFailed as error:
        return complain(error, error.status)
    except DatasetUnavailable as error:
        return complain(error)
    except (ExportFailed, OSError) as error:
        return _complain_of(error, args)
    finally:
        signal.signal(signal.SIGTERM, before)
    if args.json:
        files = {name: {"path": str(e.path), "bytes": e.path.stat().st_size, **e.facts} for name, e in made.items()}
        found = json.loads(receipt.to_json()) if receipt else None
        give({"network": loaded.key, "files": files, "receipt": found})
    return int(receipt is not None and not all(row.holds for row in receipt.rows))


def _export(entry: Entry, loaded: LoadedModel, args: argparse.Namespace) -> Exported:
    options = {option.name: getattr(args, option.name, option.default) for option in entry.options}
    made: Exported = entry.load()(loaded, args.out, options, lambda part: _show_progress(entry.name, part))
    say(f"{made.path}: {made.path.stat().st_size:,} bytes", args)
    for row in made.facts.get("calibrations", ()):
        way = f"{row['method']}, {row['images']:,} images" if row["method"] else "fp32"
        say(
            f"  {way:24} {row['correct'] / row['n']:.2%} of {row['n']:,} other training images,"
            f" mean difference {row['difference']:.3g}",
            args,
        )
    return made


def _end_in_order(number: int, _frame: object) -> None:
    """Whoever ends this command (the page's Stop) ends with it the browsers that it has started."""
    sys.exit(128 + number)


def _complain_of(error: ExportFailed | OSError, args: argparse.Namespace) -> int:
    """Say why nothing came out; with ``--json`` also in a form that a page can translate."""
    failed = error
    if isinstance(error, OSError):
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        failed = ExportFailed(N_("The disk is full: there is no room for the files."))
    assert isinstance(failed, ExportFailed)
    if args.json:
        give({"error": {"message": failed.message, "values": failed.values}})
    print(file=sys.stderr)  # the line of the progress ends here
    return complain(failed)


def _write_receipt(loaded: LoadedModel, files: dict[str, Path], args: argparse.Namespace) -> Receipt:
    from cnn_demo.datasets.download import DatasetUnavailable
    from cnn_demo.datasets.load import load_dataset
    from cnn_demo.export.receipt import make_receipt

    if loaded.photo is not None:
        raise CommandFailed(f"{loaded.key} has no test split to be compared on: leave --receipt out")
    name = loaded.spec.name
    try:
        test = load_dataset(name).test
    except DatasetUnavailable as error:
        if not loaded.spec.digits:
            raise
        name = "mnist-mini"  # it ships, and is of the same kind
        print(f"{error}; the receipt is for the test images of {name}", file=sys.stderr)
        test = load_dataset(name).test
    asked = {threshold.name: getattr(args, threshold.name, threshold.default) for threshold in THRESHOLDS}
    receipt = make_receipt(
        loaded, files, test, dataset=name, thresholds=asked, progress=lambda part: _show_progress("receipt", part)
    )
    path = args.out / f"{loaded.file_name}.receipt.json"
    write_whole(path, receipt.to_json().encode())
    say(f"{path}:", args)
    for row in receipt.rows:
        low, high = row.interval
        say(
            f"  {row.format:10} {row.accuracy:.2%} of {row.n:,} [{low:.2%}, {high:.2%}], as PyTorch"
            f" {row.agreement:.2%}, largest difference {row.largest:.2g},"
            f" {row.latencies[0].median * 1000:.2f} ms at batch 1",
            args,
        )
        for message, values in row.misses:
            say(f"    DOES NOT HOLD: {fill(message, values)}", args)
    for message, values in receipt.notes:
        say(f"  {fill(message, values)}", args)
    return receipt


def _show_progress(what: str, part: float) -> None:
    print(f"\r{what} {part:4.0%}", end="" if part < 1 else "\n", file=sys.stderr, flush=True)
