"""``python -m cnn_demo verify``: whether a bundle still holds what its receipt says."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from cnn_demo.cli.output import EXIT_FAILED, add_json_option, complain, give, say
from cnn_demo.export.formats import list_missing

_MARKS = {"agrees": "agrees ", "differs": "DIFFERS", "note": "note   "}


def add_parser(subparsers: Any) -> None:
    """Add ``verify``."""
    parser = subparsers.add_parser(
        "verify",
        help="check a bundle against its receipt",
        description="Check the SHA-256 of every file of a bundle, that its model runs, that it answers the reference "
        "images as PyTorch did, and, where the test images are at hand, its accuracy. The receipt is not signed: it "
        "shows damage and mix-ups, and no forgery. Exit status 1 where something differs.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the zip, or the folder it was unpacked to")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Check and report, each finding as soon as it is there."""
    if missing := list_missing("bundle"):
        return complain(f"verify needs {', '.join(missing)}: pip install -r requirements.txt")
    from cnn_demo.export.verify import NoBundle, verify_bundle

    findings = []
    try:
        for finding in verify_bundle(args.bundle):
            findings.append(finding)
            say(f"{_MARKS[finding.outcome]}  {finding.what}: {finding.words}", args)
    except NoBundle as error:
        if args.json:
            give({"bundle": str(args.bundle), "agrees": False, "error": str(error), "findings": []})
        return complain(error)
    agrees = all(finding.outcome != "differs" for finding in findings)
    if args.json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        give({"bundle": str(args.bundle), "agrees": agrees, "findings": rows})
    return 0 if agrees else EXIT_FAILED
