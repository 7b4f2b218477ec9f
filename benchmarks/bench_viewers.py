"""Claims: 1 viewer leaves training 97% of its speed, 30 viewers 85%; a poll of the live view takes the server at most
15 ms.

One training run of ``cnn`` on the CPU; for windows of the same length, in turns, nobody, 1 and 30 simulated viewers
(WebSocket, no browser) watch it. Throughput is steps in the window. A poll's time is what one lone viewer waits from
request to the end of the script run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine, quantile, server, spread, verdict
from benchmarks.viewers import watch_together
from cnn_demo.runs import launcher
from cnn_demo.runs.records import RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig


def steps_in(store: Store, run_id: str, seconds: float, address: str, count: int) -> tuple[float, list[float]]:
    """Steps a second during a window with ``count`` viewers, and the times of their polls."""
    first, began = store.get(run_id).step, time.perf_counter()
    polls: list[float] = []
    if count:
        for viewer in watch_together(address, "train", f"run={run_id}", count, seconds):
            polls.extend(viewer.polls)
    else:
        time.sleep(seconds)
    return (store.get(run_id).step - first) / (time.perf_counter() - began), polls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=15.0)
    args = parser.parse_args()
    print(machine())
    ratios: dict[int, list[float]] = {1: [], 30: []}
    polls: dict[int, list[float]] = {1: [], 30: []}
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_, address):
        store = Store(Path(folder))
        run = launcher.launch(store, TrainConfig(epochs=1000, device="cpu"))
        while store.get(run.id).state is not RunState.RUNNING or store.get(run.id).step < 200:
            time.sleep(0.2)
        watch_together(address, "train", f"run={run.id}", 2, 5.0)  # everything is imported and cached once
        for _round in range(args.rounds):
            before, _ = steps_in(store, run.id, args.seconds, address, 0)
            for count in (1, 30):
                speed, waited = steps_in(store, run.id, args.seconds, address, count)
                after, _ = steps_in(store, run.id, args.seconds, address, 0)
                ratios[count].append(speed / statistics.mean((before, after)))
                polls[count].extend(waited)
                before = after
        store.pause(run.id)
        while store.get(run.id).state is not RunState.PAUSED:
            time.sleep(0.05)
        # An active run that takes no core: what is left is the server's own part.
        alone = [poll for viewer in watch_together(address, "train", f"run={run.id}", 1, 30.0) for poll in viewer.polls]
        store.stop(run.id)
    for count, target in ((1, 0.97), (30, 0.85)):
        print(f"{count} viewer(s): training at {spread(ratios[count], ' ×')} of its speed without")
        print(verdict(f"throughput with {count} viewer(s)", statistics.median(ratios[count]), target, at_least=True))
    one, idle = ([p * 1000 for p in times] for times in (polls[1], alone))
    for name, times in (("beside training", one), ("while the run is paused", idle)):
        print(f"a poll of a lone viewer {name}: {spread(times, ' ms', 1)}, p95 {quantile(times, 0.95):.1f} ms")
    print(f"a poll of 30 viewers: {spread([p * 1000 for p in polls[30]], ' ms', 1)}")
    print(verdict("one poll, ms, cores free", statistics.median(idle), 15, at_least=False))


if __name__ == "__main__":
    main()
