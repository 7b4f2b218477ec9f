"""Claim: after 10 epochs fit() is as accurate as the tutorial loop, beyond the spread of three seeds.

Both train ``cnn`` with the defaults on mnist-mini's 8,000 training digits; accuracy is on its 2,000 test digits.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.bench_fit import ours, tutorial
from benchmarks.common import machine, spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    print(machine())
    mine = [ours(args.epochs, args.device, seed)["accuracy"] * 100 for seed in range(args.seeds)]
    other = [tutorial(args.epochs, args.device, seed)["accuracy"] * 100 for seed in range(args.seeds)]
    print(f"mnist-mini test accuracy (2,000 digits) after {args.epochs} epochs, seeds 0 to {args.seeds - 1}")
    print(f"  fit()    {spread(mine, ' %')}")
    print(f"  tutorial {spread(other, ' %')}")
    difference = statistics.mean(mine) - statistics.mean(other)
    noise = max(statistics.pstdev(mine), statistics.pstdev(other), (max(other) - min(other)) / 2)
    word = "reached" if difference >= -noise else "MISSED "
    print(f"{word}  mean difference {difference:+.2f} points, spread {noise:.2f} (asked: not worse beyond it)")


if __name__ == "__main__":
    main()
