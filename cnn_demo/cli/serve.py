"""``python -m cnn_demo serve``: a network that other programs call over HTTP."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.networks import REFERENCE, load_network
from cnn_demo.cli.output import EXIT_USAGE, CommandFailed, complain

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.serve.limits import Limits
    from cnn_demo.serve.server import Listening
    from cnn_demo.serve.service import Service

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "onnx", "onnxscript", "onnxruntime")


def add_parser(subparsers: Any) -> None:
    """Add ``serve``."""
    parser = subparsers.add_parser(
        "serve",
        help="answer pictures over HTTP",
        description="Answer pictures over HTTP with onnxruntime: POST /predict takes an image or up to 64 of them and "
        "gives class, probabilities and verdict as the Draw page does. GET / says how to call, /openapi.json describes "
        "everything. A run that trains is followed: its newest checkpoint answers. SIGTERM ends it in order, SIGHUP "
        "loads the network again. Needs the packages of requirements-serve.txt.",
    )
    parser.add_argument("network", nargs="?", metavar="REF", help=f"{REFERENCE} (default: the model that ships)")
    where = parser.add_argument_group("where it listens")
    where.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s, this machine only)")
    where.add_argument("--port", type=int, default=8600, help="port, 0 for a free one (default: %(default)s)")
    token = where.add_mutually_exclusive_group()
    token.add_argument("--token", help="bearer token that callers need; the list of processes shows it")
    token.add_argument("--token-env", metavar="NAME", help="environment variable that holds the token")
    where.add_argument("--insecure", action="store_true", help="listen to other machines without a token")
    where.add_argument(
        "--trusted-proxy", default="", metavar="IP", help="proxy whose X-Forwarded-For names the client (default: none)"
    )
    _add_limits(parser)
    parser.add_argument(
        "--follow", type=float, default=2.0, metavar="S", help="look for a newer checkpoint every so often; 0: never"
    )
    parser.add_argument(
        "--drain", type=float, default=0.0, metavar="S", help="at the end, be not ready for so long before closing"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    from cnn_demo.serve.limits import Limits

    usual = Limits()
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--max-queue", type=int, default=usual.max_queue, help="images in work from which on it is busy (%(default)s)"
    )
    limits.add_argument("--max-images", type=int, default=usual.max_images, help="in one request (%(default)s)")
    limits.add_argument(
        "--max-mb", type=float, default=usual.max_body_bytes / 2**20, help="megabytes of one request (%(default)g)"
    )
    limits.add_argument(
        "--rate", type=float, default=usual.rate, help="images a second for each client, 0 for no limit (%(default)g)"
    )
    limits.add_argument(
        "--burst", type=float, default=usual.burst, help="images that a silent client may send at once (%(default)g)"
    )
    limits.add_argument("--deadline", type=float, default=usual.deadline, help="seconds for a request (%(default)g)")
    limits.add_argument(
        "--window", type=float, default=usual.window, help="seconds that a batch waits for others (%(default)g)"
    )
    limits.add_argument("--threads", type=int, default=0, help="that prepare pictures (default: one for each core)")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes; returns the exit status."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        named = ", ".join(name.replace("_", "-") for name in missing)
        return complain(f"serve needs {named}: pip install -r requirements.txt -r requirements-serve.txt")
    try:
        limits, listening = _read_limits(args), _read_listening(args)
        loaded = load_network(args.network)
    except CommandFailed as error:
        return complain(error, error.status)
    return _serve(_make_service(loaded, args.network or "shipped", limits), listening)


def _read_limits(args: argparse.Namespace) -> Limits:
    from cnn_demo.serve.limits import Limits

    positive = ("max_queue", "max_images", "max_mb", "deadline", "burst")
    for name in (*positive, "rate", "window", "threads", "follow", "drain"):
        value = getattr(args, name)
        if not (value > 0 if name in positive else value >= 0) or value == float("inf"):
            flag = name.replace("_", "-")
            expected = "a number above 0" if name in positive else "a number, at least 0"
            raise CommandFailed(f"--{flag} {value}: expected {expected}", EXIT_USAGE)
    return Limits(
        max_body_bytes=int(args.max_mb * 2**20),
        max_images=args.max_images,
        max_queue=args.max_queue,
        max_held_bytes=int(4 * args.max_mb * 2**20),
        rate=args.rate,
        burst=args.burst,
        deadline=args.deadline,
        window=args.window,
        threads=args.threads or _count_cores(),
    )


def _count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_listening(args: argparse.Namespace) -> Listening:
    from cnn_demo.serve.server import LOCAL, Listening

    token = args.token
    if args.token_env is not None:
        token = os.environ.get(args.token_env, "")
    if token is not None and not token.strip():
        raise CommandFailed(
            f"the token is empty{f': {args.token_env} is not set' if args.token_env else ''}", EXIT_USAGE
        )
    if not 0 <= args.port <= 65535:
        raise CommandFailed(f"--port {args.port}: expected 0 to 65535", EXIT_USAGE)
    if args.host not in LOCAL and token is None and not args.insecure:
        raise CommandFailed(
            f"--host {args.host} lets other machines call: set --token-env NAME, or say --insecure", EXIT_USAGE
        )
    token = None if token is None else token.strip()
    return Listening(args.host, args.port, token, args.trusted_proxy, args.follow, args.drain)


def _make_service(loaded: LoadedModel, text: str, limits: Limits) -> Service:
    import torch

    from cnn_demo.runs.store import Store
    from cnn_demo.serve.engine import load_served_network, read_mark
    from cnn_demo.serve.onnx_engine import open_onnx_engine
    from cnn_demo.serve.service import Service
    from cnn_demo.settings.reference import ModelRef

    torch.set_num_threads(1)  # torch only judges here; onnxruntime has threads of its own
    ref, store = ModelRef.parse(text), Store()
    return Service(
        lambda: load_served_network(ref, store, open_onnx_engine),
        lambda network: read_mark(ref, store) not in (None, network.mark),
        limits,
    )


def _serve(service: Service, listening: Listening) -> int:
    from cnn_demo.serve.server import Server, open_socket

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("cnn_demo.serve").setLevel(logging.INFO)
    bound = open_socket(listening)
    host, port = bound.getsockname()[:2]
    print(f"http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    server = Server(service, listening)
    server.run([bound])
    return 0 if server.failure is None else complain(server.failure)
