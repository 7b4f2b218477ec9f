"""Claims: 32 clients get 4 times the answers of one request at a time, and 5 times those of a plain FastAPI + torch
handler, with no error; under three times the load that it can hold memory stays flat, accepted requests wait at most
twice the p99 of 32 clients, and the rest is refused at once.

Both servers run the model that ships on this machine, one after another in turns, and this process sends the load: 200
digits drawn on the pad, as raw PNG. The rate that it can hold is that of its 32 clients. ``--overload 300`` makes the
five minutes of the claim; memory is the resident size, the mean of the last fifth against that of the second (in the
first the memory pools fill).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator

import numpy as np
import psutil

from benchmarks.common import ROOT, machine, quantile, spread, verdict
from benchmarks.load import Load, make_requests, send_at_rate, send_in_turns
from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.skeletons.styles import choose_style, list_styles
from cnn_demo.handwriting.strokes import PenVariation, draw_on_pad, write_digit
from cnn_demo.plots.png import png_bytes

HOST = "127.0.0.1"
CLIENTS = 32


def draw_pictures(count: int) -> list[bytes]:
    """Digits on the pad in turns, RGBA as the pad gives them, as PNG files."""
    stream, variation, styles = RandomStream(np.random.default_rng(5)), PenVariation(), list_styles(False)
    pictures = []
    for number in range(count):
        paths = write_digit(choose_style(styles[number % 10], stream), variation, stream)
        pad = draw_on_pad(paths, stream.u(*variation.pen), stream.u(*variation.fill), stream)
        pictures.append(png_bytes(np.dstack([pad, pad, pad, np.full_like(pad, 255)])))
    return pictures


@contextlib.contextmanager
def running(module: str, *words: str) -> Iterator[tuple[psutil.Process, int]]:
    """A server that is ready; gives its process and port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", module, *(word.format(port=port) for word in words)]
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "CNN_DEMO_HOME": home}
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 180
            while not is_ready(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{module} did not start")
                time.sleep(0.05)
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            process.wait(timeout=60)


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/ready", timeout=2):
        return True
    return False


def count_cpu(process: psutil.Process) -> float:
    """Seconds of processor time that a server has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def send_and_tell(
    name: str, process: psutil.Process, port: int, requests: list[bytes], clients: int, seconds: float
) -> Load:
    """Send a closed load and print a line about it."""
    before = count_cpu(process)
    load = send_in_turns(HOST, port, requests, clients, seconds)
    tell(f"{name}, {clients} at a time", load)
    print(f"  {1e3 * (count_cpu(process) - before) / max(1, len(load.answered)):.1f} ms of processor time an answer")
    return load


def tell(name: str, load: Load) -> None:
    """One line about a load."""
    times = load.answered
    print(
        f"{name}: {load.rate:.0f} answers a second; p50 {1e3 * quantile(times, 0.5):.1f} ms, "
        f"p99 {1e3 * quantile(times, 0.99):.1f} ms (n = {len(times)}); refused {len(load.refused)}, "
        f"failed {load.failed} {sorted(set(load.latencies) - {200, 503}) or ''}",
        flush=True,
    )


def overload(process: psutil.Process, port: int, requests: list[bytes], held: Load, seconds: float) -> list[str]:
    """Three times the load that it can hold; returns what was found."""
    sizes: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(min(1.0, seconds / 100)):
            sizes.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    load = send_at_rate(HOST, port, requests, 3 * held.rate, seconds)
    done.set()
    watcher.join()
    tell(f"three times {held.rate:.0f} a second for {load.seconds:.0f} s", load)
    sent = len(load.answered) + len(load.refused) + load.failed
    fifth = max(1, len(sizes) // 5)
    grown = statistics.mean(sizes[-fifth:]) / statistics.mean(sizes[fifth : 2 * fifth])
    refused = load.refused or [0.0]
    print(
        f"  sent {sent} ({load.unsent} more found no free connection); refused after p50 "
        f"{1e3 * quantile(refused, 0.5):.1f}, p99 {1e3 * quantile(refused, 0.99):.1f} ms; memory "
        f"{min(sizes) / 2**20:.0f} to {max(sizes) / 2**20:.0f} MiB"
    )
    slower = quantile(load.answered, 0.99) / quantile(held.answered, 0.99)
    quick = quantile(refused, 0.99) / quantile(load.answered, 0.99)
    return [
        verdict("memory, last fifth / second fifth", grown, 1.02, at_least=False),
        verdict("p99 of accepted requests / p99 of 32 clients", slower, 2, at_least=False),
        verdict("p99 of a refusal / p99 of an answer", quick, 0.5, at_least=False),
        verdict("failed under overload", load.failed, 0, at_least=False),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--overload", type=float, default=60.0, help="seconds of overload; the claim is of 300")
    parser.add_argument("--threads", default="0", help="of the service; 0: one for each core")
    args = parser.parse_args()
    print(machine())
    requests = make_requests(draw_pictures(200))
    ours = ("cnn_demo", "serve", "shipped", "--port", "{port}", "--rate", "0", "--threads", args.threads)
    alone, plain, failed = [], [], 0
    lines: list[str] = []
    with (
        running(*ours) as (process, port),
        running("benchmarks.plain_handler", "{port}") as (other_process, other_port),
    ):
        for which in (port, other_port):
            send_in_turns(HOST, which, requests, 4, 3.0)
        for number in range(args.rounds):
            print(f"-- round {number + 1}")
            one = send_and_tell("serve", process, port, requests, 1, args.seconds)
            many = send_and_tell("serve", process, port, requests, CLIENTS, args.seconds)
            other = send_and_tell("plain handler", other_process, other_port, requests, CLIENTS, args.seconds)
            alone.append(many.rate / one.rate)
            plain.append(many.rate / other.rate)
            failed += one.failed + many.failed + len(one.refused) + len(many.refused)
        lines = [
            verdict(f"{CLIENTS} clients / one at a time, answers a second", statistics.median(alone), 4, at_least=True),
            verdict("serve / plain handler, answers a second", statistics.median(plain), 5, at_least=True),
            verdict("errors", failed, 0, at_least=False),
        ]
        if args.overload > 0:
            lines += overload(process, port, requests, many, args.overload)
    print(f"against one at a time {spread(alone, ' ×')}; against the plain handler {spread(plain, ' ×')}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
