"""What a preset reaches: accuracy on the test images and seconds of training, over seeds.

    CNN_DEMO_DATA=FOLDER python -m benchmarks.bench_presets NAME [--seeds N] [--epochs N] [--dataset NAME]
        [--results FILE]

Each seed is `python -m cnn_demo train --preset NAME` in a fresh process with a run store of its own. The model of the
last epoch is judged, or the best by validation where the preset holds out some training images: nothing is chosen by
the test images. Each result is a line in FILE; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import last_json, machine, spread
from cnn_demo.settings.presets import PRESETS

KEPT = ("dataset", "model", "parameters", "n", "accuracy", "loss", "seconds", "samples_per_second", "steps")


def train_preset(name: str, seed: int, more: list[str]) -> dict[str, Any]:
    """Train once; gives what ``train --json`` says."""
    command = [sys.executable, "-m", "cnn_demo", "train", "--preset", name, "--seed", str(seed), "--json", *more]
    with tempfile.TemporaryDirectory() as home:
        return last_json(command, {**os.environ, "CNN_DEMO_HOME": home})


def read_results(file: Path, name: str, more: list[str]) -> dict[int, dict[str, Any]]:
    """What was measured already of a preset with these changes, by seed."""
    if not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return {line["seed"]: line for line in lines if line["preset"] == name and line["changes"] == more}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=[preset.name for preset in PRESETS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("bench_presets.jsonl"), metavar="FILE")
    parser.add_argument("--epochs", type=int, help="other epochs than the preset's")
    parser.add_argument("--dataset", help="another data set than the preset's")
    args = parser.parse_args()
    more = ["--epochs", str(args.epochs)] if args.epochs else []
    more += ["--dataset", args.dataset] if args.dataset else []
    print(machine())
    for seed in range(args.seeds):
        if seed in read_results(args.results, args.preset, more):
            continue
        result = train_preset(args.preset, seed, more)
        found = {"preset": args.preset, "changes": more, "seed": seed, **{name: result[name] for name in KEPT}}
        with args.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**found, "machine": machine()}) + "\n")
        print(json.dumps(found), flush=True)
    done = [found for seed, found in read_results(args.results, args.preset, more).items() if seed < args.seeds]
    print(f"{args.preset}{' '.join(['', *more])}: {done[0]['dataset']}, {done[0]['parameters']:,} parameters")
    print(f"  {spread([found['accuracy'] * 100 for found in done], ' %')} of {done[0]['n']:,} test images")
    print(f"  {spread([found['seconds'] for found in done], ' s', 1)} of training")


if __name__ == "__main__":
    main()
