"""A look at the run store costs the same however many runs, steps and checkpoints there are.

    python -m benchmarks.bench_store [--against OTHER_CHECKOUT]

Measured: the list of runs beside 10 to 2,000 queued ones; a poll of the live view; a worker's look at the queue while
30 runs wait; the curve of 300,000 steps, the first look and the next; a picker over 200 runs with 20 checkpoints each;
importing and opening the store in a fresh process. Each figure is the median processor time of several looks (the
first look at a curve and the import: of one), so other work on the machine matters little. With another checkout (also
of commit 953c0f6) both are measured, one after the other, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUEUED = (10, 300, 1000, 2000)
STEPS, WITH_CHECKPOINTS, CHECKPOINTS = 300_000, 200, 20
SHOWN = 12


def milliseconds(look: Callable[[], Any], times: int) -> float:
    """The median processor time of some looks."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        look()
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken)


def measure(home: Path) -> dict[str, float]:
    """All figures of the checkout that is imported, in milliseconds. Commit 953c0f6 has other names."""
    began = time.process_time()
    from cnn_demo.runs.store import Store

    store = Store(home / "imported")
    found = {"import and open": 1000 * (time.process_time() - began)}
    found |= measure_lists(home, Store)
    found |= measure_queue(Store(home / "waiting"))
    found |= measure_curve(Store(home / "long"))
    return found | measure_picker(store)


def make_config() -> Any:
    try:  # the old place first: an installed package would answer for the new one
        from cnn_demo.config import TrainConfig  # type: ignore[import-not-found]
    except ImportError:
        from cnn_demo.settings.config import TrainConfig
    return TrainConfig(device="cpu")


def measure_lists(home: Path, open_store: Any) -> dict[str, float]:
    found = {}
    for count in QUEUED:
        store = open_store(home / f"queued{count}")
        for _ in range(count):
            store.create(make_config())
        if hasattr(store, "any_active"):
            look = lambda store=store: (store.any_active(), store.list(limit=SHOWN), store.count())
        else:
            look = lambda store=store: store.list()[:SHOWN]
        found[f"list, {count:,} queued runs"] = milliseconds(look, 9)
    return found


def measure_queue(store: Any) -> dict[str, float]:
    """A worker's look while another process holds the device."""
    store.create(make_config())
    look: Callable[[], Any]
    if hasattr(store, "claim"):
        from cnn_demo.runs.queue import QueuePoll

        (taken, lock), poll = store.claim(["cpu"]), QueuePoll(store, ["cpu"])
        look = poll.claim
    else:
        from cnn_demo.runs import queue
        from cnn_demo.runs.recorder import claim  # type: ignore[attr-defined]

        taken, lock = claim(store, ["cpu"])
        look = lambda: queue.count_queued(store) and claim(store, ["cpu"])  # type: ignore[attr-defined]
    for _ in range(30):
        store.create(make_config())
    found = {"queue, 30 waiting, one look": milliseconds(look, 101)}
    found["poll of one run: get and version"] = milliseconds(lambda: (store.get(taken.id), store.version()), 101)
    lock.release()
    return found


def measure_curve(store: Any) -> dict[str, float]:
    from cnn_demo.runs.recorder import Recorder
    from cnn_demo.training.events import Progress, StepMetrics

    run = store.create(make_config())
    recorder = Recorder(store, run)

    def progress(first: int, count: int) -> None:
        made = [StepMetrics(i, i / 391, 1 / i, i % 128 / 128, 128, 1e-3) for i in range(first, first + count)]
        recorder.progress(Progress(tuple(made), 1.0, 1.0, 0))

    for first in range(1, STEPS, 1000):
        progress(first, 1000)
    found = {f"curve of {STEPS:,} steps, first look": milliseconds(lambda: store.steps(run.id), 1)}
    nexts = []
    for i in range(9):
        progress(STEPS + 1 + 25 * i, 25)
        nexts.append(milliseconds(lambda: store.steps(run.id), 1))
    found[f"curve of {STEPS:,} steps, next look"] = statistics.median(nexts)
    found["recording 25 steps"] = milliseconds(lambda: progress(2 * STEPS, 25), 21)
    return found


def measure_picker(store: Any) -> dict[str, float]:
    for _ in range(WITH_CHECKPOINTS):
        run = store.create(make_config())
        recorder = make_recorder(store, run)
        for step in range(CHECKPOINTS):
            folder = store.folder(run.id) / f"checkpoints/{step}"
            folder.mkdir(parents=True)
            (folder / "weights.safetensors").touch()
            recorder.checkpoint(step, step / 10, f"checkpoints/{step}")
        store.stop(run.id)
    name = f"picker, {WITH_CHECKPOINTS} runs with {CHECKPOINTS} checkpoints"
    if hasattr(store, "runs_with_checkpoints"):
        return {name: milliseconds(store.runs_with_checkpoints, 9)}
    return {name: milliseconds(lambda: [run for run in store.list() if store.checkpoints(run.id)], 9)}


def make_recorder(store: Any, run: Any) -> Any:
    from cnn_demo.runs.recorder import Recorder

    return Recorder(store, run)


def measure_checkout(checkout: Path) -> dict[str, float]:
    """The figures of one checkout, in a process that imports it."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, "--measure", home]
        env = {**os.environ, "PYTHONPATH": str(checkout)}
        done = subprocess.run(command, cwd=checkout, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="OTHER_CHECKOUT")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    from benchmarks.common import machine

    print(machine())
    here = measure_checkout(Path(__file__).resolve().parents[1])
    there = measure_checkout(args.against.resolve()) if args.against else {}
    for name, value in here.items():
        other = f"  other {there[name]:9.3f} ms  this/other {value / there[name]:7.3f}" if there else ""
        print(f"{name:45} this {value:9.3f} ms{other}")


if __name__ == "__main__":
    main()
