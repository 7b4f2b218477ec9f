"""Run one benchmark on this checkout and on another one in turns, in one sitting.

    python -m benchmarks.side_by_side OTHER_CHECKOUT bench_fit --rounds 2 -- --pairs 2 --epochs 2

Both use this Python and its packages; each imports its own code. The order changes from round to round, so that a
slow minute of a shared machine hits both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command(checkout: Path, name: str) -> list[str]:
    """How a checkout runs a benchmark; up to commit 953c0f6 they were plain scripts."""
    if "from benchmarks." in (checkout / "benchmarks" / "bench_fit.py").read_text("utf-8"):
        return [sys.executable, "-m", f"benchmarks.{name}"]
    return [sys.executable, str(checkout / "benchmarks" / f"{name}.py")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="OTHER_CHECKOUT")
    parser.add_argument("name", metavar="BENCHMARK", help="such as bench_fit")
    parser.add_argument("--rounds", type=int, default=1)
    parser.epilog = "What follows -- goes to the benchmark."
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    args, options = parser.parse_args(words[:end]), words[end + 1 :]
    pair = [("other", args.other.resolve()), ("this", ROOT)]
    for number in range(args.rounds):
        for who, checkout in pair if number % 2 == 0 else reversed(pair):
            print(f"-- round {number + 1}, {who} checkout", flush=True)
            env = {**os.environ, "PYTHONPATH": str(checkout)}
            subprocess.run([*command(checkout, args.name), *options], cwd=checkout, env=env, check=False)


if __name__ == "__main__":
    main()
