"""The command line: ``python -m cnn_demo COMMAND``; :data:`COMMANDS` lists them.

Every command prints for people; with ``--json`` the last line of standard output is one JSON object. Progress and
messages go to standard error. Exit status: 0 when all went well, 1 when something failed, 2 for a wrong command line,
130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys

from cnn_demo import __version__
from cnn_demo.cli import data, devices, evaluate, export, lr_find, models, predict, runs, serve, train, verify
from cnn_demo.cli.output import EXIT_FAILED, EXIT_INTERRUPTED, complain

COMMANDS = {
    "train": train,
    "lr-find": lr_find,
    "evaluate": evaluate,
    "predict": predict,
    "runs": runs,
    "models": models,
    "serve": serve,
    "data": data,
    "devices": devices,
    "export": export,
    "verify": verify,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="cnn-demo",
        description="CNN Lab: train a convolutional network, and look inside it while it learns.",
        epilog="CNN_DEMO_HOME names the folder of the runs, CNN_DEMO_DATA that of the data sets.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for module in COMMANDS.values():
        module.add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the arguments after the program's name; by default those of this process.

    Returns:
        The exit status.
    """
    args = build_parser().parse_args(argv)
    try:
        status = COMMANDS[args.command].run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe (head, less) has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except OSError as error:
        return complain(error)
    return status
