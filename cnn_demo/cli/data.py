"""``python -m cnn_demo data``: which data sets there are, what is here, and fetching the rest."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import time
from typing import Any

from cnn_demo.datasets.download import DatasetUnavailable, DownloadProgress
from cnn_demo.datasets.files import data_root, is_available, missing_files
from cnn_demo.datasets.specs import DatasetSpec, get_spec, list_specs


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add ``data`` with its actions to the commands of a parser.

    Args:
        subparsers: what ``ArgumentParser.add_subparsers()`` returned. The chosen action's arguments come back to
            :func:`run`.
    """
    names = [spec.name for spec in list_specs()]
    parser = subparsers.add_parser(
        "data",
        help="list, describe and download the data sets",
        description="List, describe and download the data sets.",
        epilog=f"Downloads go to {data_root()} (CNN_DEMO_DATA names another folder). Exit status: 0 when all went "
        "well, 1 when a data set is not available, 2 for a wrong command line.",
    )
    # On the actions as well, so that the option may stand on either side; SUPPRESS keeps them from undoing it.
    as_json = {"action": "store_true", "help": "print one JSON object on the last line of standard output"}
    parser.add_argument("--json", default=False, **as_json)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    listing = actions.add_parser("list", help="all data sets and which are here (the default)")
    download = actions.add_parser("download", help="fetch data sets, unless they are here, and check them")
    download.add_argument("names", metavar="NAME", nargs="+", choices=names, help=", ".join(names))
    info = actions.add_parser("info", help="everything about one data set")
    info.add_argument("name", metavar="NAME", choices=names, help=", ".join(names))
    for action in (listing, download, info):
        action.add_argument("--json", default=argparse.SUPPRESS, **as_json)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out ``data``; returns the exit status: 0, or 1 when a data set is not available."""
    if args.action == "download":
        return _download(list(dict.fromkeys(args.names)), args.json)
    if args.action == "info":
        return _info(get_spec(args.name), args.json)
    return _list(args.json)


def _describe(spec: DatasetSpec) -> dict[str, Any]:
    return {**dataclasses.asdict(spec), "available": is_available(spec.name)}


def _list(as_json: bool) -> int:
    if as_json:
        print(json.dumps({"root": str(data_root()), "datasets": [_describe(spec) for spec in list_specs()]}))
        return 0
    for spec in list_specs():
        state = "here" if is_available(spec.name) else f"{spec.download_bytes / 1e6:.0f} MB to fetch"
        print(f"{spec.name:14} {state:16} {spec.title}")
    return 0


def _info(spec: DatasetSpec, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"root": str(data_root()), "dataset": _describe(spec)}))
        return 0
    missing = missing_files(spec.name, data_root())
    rows = {
        "name": spec.name,
        "title": spec.title,
        "training": spec.train_title,
        "test": spec.test_title,
        "images": f"{spec.channels} x {spec.size} x {spec.size}",
        "classes": ", ".join(spec.classes),
        "mean, std": f"{', '.join(map(str, spec.mean))}; {', '.join(map(str, spec.std))} ({spec.statistics})",
        "source": spec.source,
        "license": spec.license,
        "here": "yes" if not missing else f"no: {', '.join(missing)} missing below {data_root()}",
    }
    for title, value in rows.items():
        print(f"{title:10} {value}")
    return 0


class _Bars:
    """One progress bar for each file, on a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._file = ""

    def close(self) -> None:
        """End the last bar."""
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: DownloadProgress) -> None:
        from tqdm import tqdm

        if not progress.file:
            return
        if progress.file != self._file:
            self.close()
            self._file = progress.file
            self._bar = tqdm(
                desc=progress.file,
                total=progress.total_bytes,
                unit="B",
                unit_scale=True,
                file=sys.stderr,
                disable=not sys.stderr.isatty(),
            )
        self._bar.update(progress.done_bytes - self._bar.n)


def _download(names: list[str], as_json: bool) -> int:
    from cnn_demo.datasets.load import load_dataset

    ready: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for name in names:
        began = time.perf_counter()
        was_here = is_available(name)
        try:
            with contextlib.closing(_Bars()) as bars:
                data = load_dataset(name, progress=bars)
        except DatasetUnavailable as error:
            print(f"error: {error}", file=sys.stderr)
            failed.append(
                {
                    "name": name,
                    "reason": error.reason,
                    "detail": error.detail,
                    "tried": [dataclasses.asdict(attempt) for attempt in error.tried],
                    "folder": str(error.folder),
                    "files": list(error.files),
                }
            )
            continue
        seconds = round(time.perf_counter() - began, 3)
        ready.append({"name": name, "train": len(data.train), "test": len(data.test), "seconds": seconds})
        if not as_json:
            word = "was here already" if was_here else "fetched"
            print(f"{name}: {word}; {len(data.train):,} training and {len(data.test):,} test images")
    if as_json:
        print(json.dumps({"root": str(data_root()), "ready": ready, "failed": failed}))
    return 1 if failed else 0
