"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


class CommandFailed(RuntimeError):
    """A command cannot go on; says why.

    Attributes:
        status: the exit status.
    """

    def __init__(self, message: str, status: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.status = status


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line of standard output")


def complain(error: object, status: int = EXIT_FAILED) -> int:
    """Say what went wrong on standard error; returns the exit status."""
    print(f"error: {error}", file=sys.stderr)
    return status


def say(text: str, args: argparse.Namespace) -> None:
    """Print a line for people, unless a machine is listening."""
    if not args.json:
        print(text)


def give(result: dict[str, Any]) -> None:
    """Print the one JSON object."""
    print(json.dumps(result, ensure_ascii=False))


def versions() -> dict[str, str]:
    """Versions of what has a say in the numbers."""
    import platform
    from importlib.metadata import version

    from cnn_demo import __version__

    return {
        "cnn_demo": __version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "torchvision": version("torchvision"),
    }
