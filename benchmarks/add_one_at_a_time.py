"""What each strategy buys: the textbook's run, and the same run with one thing changed.

    python -m benchmarks.add_one_at_a_time [--dataset NAME] [--epochs N] [--seeds N] [--results FILE]

Every run is the last epoch of ``fit()`` on the test images; nothing is chosen by them, and no strategy is tuned for
the data set: each has the strength that its paper or its default names. Runs of one seed begin with the same weights
where the model is the same, so the gain is taken seed by seed. Each run is a line in FILE as soon as it has ended, and
what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.common import machine, spread
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import EpochEnd
from cnn_demo.training.loop import fit

TEXTBOOK: dict[str, Any] = {"optimizer": "adam"}
_STILL = {"rotation": 0.0, "scale": 0.0, "translation": 0.0}  # random changes without a change of geometry
STRATEGIES: dict[str, dict[str, Any]] = {
    "textbook": {},
    "batch normalization": {"model": "cnn-bn"},
    "stride 2 for pooling": {"model": "cnn-strided"},
    "no dropout": {"dropout": 0.0},
    "SGD, momentum 0.9, rate 0.05": {"optimizer": "sgd", "lr": 0.05},
    "AdamW, weight decay 0.05": {"optimizer": "adamw", "weight_decay": 0.05},
    "cosine": {"schedule": "cosine"},
    "cosine with warm-up": {"schedule": "cosine-warmup"},
    "one cycle, rate 0.003": {"schedule": "one-cycle", "lr": 0.003},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "gradient clipping 1": {"grad_clip": 1.0},
    "running mean 0.99": {"ema": 0.99},
    "random shift, turn, scale": {"augment": "random"},
    "random erasing": {"augment": "random", **_STILL, "erasing": 0.3},
    "MixUp 0.2": {"augment": "random", **_STILL, "mixup": 0.2},
    "CutMix 1": {"augment": "random", **_STILL, "cutmix": 1.0},
    "handwriting": {"augment": "handwriting"},
    "bf16": {"precision": "bf16"},
}


def configure(name: str, dataset: str, epochs: int, seed: int, device: str) -> TrainConfig:
    """The run of a strategy."""
    shared = {"dataset": dataset, "epochs": epochs, "seed": seed, "device": device}
    return TrainConfig.from_values({**TEXTBOOK, **shared, **STRATEGIES[name]})


def train(config: TrainConfig) -> dict[str, Any]:
    """Train; gives accuracy and loss on the test images after the last epoch, and seconds of training."""
    ends = [event for event in fit(config, checkpoint_steps=()) if isinstance(event, EpochEnd)]
    test = ends[-1].test
    seconds = sum(end.train.seconds for end in ends)
    return {"accuracy": test.accuracy, "loss": test.loss, "n": test.n, "seconds": seconds}


def tabulate(rows: list[dict[str, Any]]) -> str:
    """The table for ``benchmarks/README.md``: accuracy, the gain over the textbook's run of the same seed, and time."""
    by_name: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["strategy"], {})[row["seed"]] = row
    base = by_name.get("textbook", {})
    lines = ["| one thing changed | test accuracy | gain, in points | time |", "| --- | --- | --- | --- |"]
    for name, runs in by_name.items():
        accuracy = spread([100 * run["accuracy"] for run in runs.values()], " %")
        paired = [seed for seed in runs if seed in base]
        gains = [100 * (runs[seed]["accuracy"] - base[seed]["accuracy"]) for seed in paired]
        times = [runs[seed]["seconds"] / base[seed]["seconds"] for seed in paired]
        gain = f"{statistics.mean(gains):+.2f}" if gains and name != "textbook" else ""
        if len(gains) > 1 and gain:
            gain += f" ± {statistics.stdev(gains):.2f}"
        time = f"{statistics.median(times):.2f} ×" if times else ""
        lines.append(f"| {name} | {accuracy} | {gain} | {time} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist-mini")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", action="append", choices=list(STRATEGIES), metavar="STRATEGY")
    parser.add_argument("--results", type=Path, default=Path("build/add_one_at_a_time.jsonl"), metavar="FILE")
    args = parser.parse_args(argv)
    where = {"dataset": args.dataset, "epochs": args.epochs, "device": args.device}
    args.results.parent.mkdir(parents=True, exist_ok=True)
    lines = args.results.read_text("utf-8").splitlines() if args.results.is_file() else []
    rows = [row for row in map(json.loads, lines) if row.items() >= where.items() and row["strategy"] in STRATEGIES]
    done = {(row["strategy"], row["seed"]) for row in rows}
    print(machine())
    for seed in range(args.seeds):  # seed by seed: stopped early, it has compared everything with fewer seeds
        for name in args.only or STRATEGIES:
            if (name, seed) in done:
                continue
            found = train(configure(name, args.dataset, args.epochs, seed, args.device))
            row = {"strategy": name, "seed": seed, **where, **found, "machine": machine()}
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)
            print(f"{name}, seed {seed}: {found['accuracy']:.2%}, {found['seconds']:.1f} s", flush=True)
    order = list(STRATEGIES)
    rows = sorted((row for row in rows if row["seed"] < args.seeds), key=lambda row: order.index(row["strategy"]))
    n = rows[0]["n"]
    print(f"\n{args.dataset}, n = {n:,} test images, {args.epochs} epochs, {args.seeds} seeds\n\n{tabulate(rows)}")


if __name__ == "__main__":
    main()
