"""Claim: fit() trains at least 1.8 times as many samples a second as the tutorial loop on two CPU cores, 15 times on
a GPU.

Both train ``cnn`` at batch 128 on mnist-mini (8,000 digits), each in a fresh process, one after the other in pairs;
the first epoch of each is warm-up. ``--device cuda`` where there is one.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.common import last_json, machine, spread, verdict

OURS = """
import json, sys
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import EpochEnd
from cnn_demo.training.loop import fit
config = TrainConfig(epochs=int(sys.argv[1]), device=sys.argv[2], seed=int(sys.argv[3]))
ends = [event for event in fit(config) if isinstance(event, EpochEnd)]
seconds = sum(end.train.seconds for end in ends[1:])
print(json.dumps({"samples_per_second": sum(end.train.n for end in ends[1:]) / seconds,
                  "accuracy": ends[-1].test.accuracy, "n": ends[-1].test.n}))
"""


def ours(epochs: int, device: str, seed: int = 0) -> dict[str, float]:
    """fit() in a fresh process."""
    return last_json([sys.executable, "-c", OURS, str(epochs), device, str(seed)])


def tutorial(epochs: int, device: str, seed: int = 0, workers: int = 0) -> dict[str, float]:
    """The tutorial loop in a fresh process."""
    options = ["--epochs", str(epochs), "--device", device, "--seed", str(seed), "--workers", str(workers)]
    return last_json([sys.executable, "-m", "benchmarks.tutorial", *options])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    print(machine())
    target = 1.8 if args.device == "cpu" else 15.0
    for workers in (0, 2):
        ratios, speeds = [], []
        for i in range(args.pairs):
            order = ("fit", "tutorial") if i % 2 == 0 else ("tutorial", "fit")
            speed = {}
            for who in order:
                if who == "fit":
                    speed[who] = ours(args.epochs, args.device)["samples_per_second"]
                else:
                    speed[who] = tutorial(args.epochs, args.device, workers=workers)["samples_per_second"]
            ratios.append(speed["fit"] / speed["tutorial"])
            speeds.append((speed["fit"], speed["tutorial"]))
        print(f"tutorial loop with num_workers={workers}: fit() is {spread(ratios, ' ×')} as fast")
        print(f"  fit()    {spread([a for a, _ in speeds], ' samples/s', 0)}")
        print(f"  tutorial {spread([b for _, b in speeds], ' samples/s', 0)}")
        if workers == 0:
            print(
                verdict(
                    f"fit() against the tutorial loop on {args.device}",
                    sorted(ratios)[len(ratios) // 2],
                    target,
                    at_least=True,
                )
            )


if __name__ == "__main__":
    main()
