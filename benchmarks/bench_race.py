"""Claim: the preset ``race`` is at 99% of MNIST's test images in at most a tenth of the tutorial loop's training time.

    CNN_DEMO_DATA=FOLDER python -m benchmarks.bench_race [--rounds N] [--results FILE]

Both train on the full MNIST, each in a fresh process, in turns; every round has a seed of its own. What counts is the
time in training steps until the first look at the 10,000 test images at which 99% are right. Both are looked at after
every tenth of an epoch, and the time of looking, of starting and of reading the data is left out for both. The preset
ends after its own epochs; a round in which it does not get there is counted as a failure and has no ratio.

Each result is a line in FILE; what is there already is not measured again, so that an interrupted sitting can go on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common import last_json, machine, spread, verdict

LOOKS = 10  # in an epoch
MOST_EPOCHS = 10  # of the tutorial


def run_preset(preset: str, seed: int, goal: float) -> dict[str, Any]:
    """Train as a preset says, until the goal is reached or the run ends."""
    from cnn_demo.datasets.load import load_dataset
    from cnn_demo.models.registry import create_configured_model
    from cnn_demo.prediction.logits import compute_logits
    from cnn_demo.settings.config import TrainConfig
    from cnn_demo.settings.presets import PRESETS
    from cnn_demo.training.events import CheckpointDue
    from cnn_demo.training.loop import fit

    changes = next(p.changes for p in PRESETS if p.name == preset)
    config = TrainConfig.from_values({**changes, "seed": seed, "device": "cpu"})
    data = load_dataset(config.dataset, download=False)
    model = create_configured_model(config, data.spec).eval()
    per_epoch = math.ceil(len(data.train) / config.batch_size)
    looks = range(per_epoch // LOOKS, per_epoch * config.epochs, per_epoch // LOOKS)
    result: dict[str, Any] = {"reached": False}
    for event in fit(config, dataset=data, checkpoint_steps=looks):
        if not isinstance(event, CheckpointDue):
            continue
        snapshot = event.capture()
        model.load_state_dict(snapshot.weights)
        tops = compute_logits(model, data.test.images, data.spec).argmax(1)
        accuracy = float((tops == data.test.labels).double().mean())
        result = {"seconds": snapshot.meta["train_seconds"], "epochs": snapshot.epoch, "accuracy": accuracy}
        result["reached"] = accuracy >= goal
        if result["reached"]:
            break
    return result


def run_tutorial(seed: int, goal: float) -> dict[str, Any]:
    """Train as the tutorial does, until the goal is reached or :data:`MOST_EPOCHS` are over."""
    from benchmarks.tutorial import make_loaders, measure_accuracy, start_training, train_epoch

    train_loader, test_loader = make_loaders("mnist", workers=0)
    model, optimizer = start_training(seed, "cpu")
    every, seconds, steps, accuracy = len(train_loader) // LOOKS, 0.0, 0, 0.0
    for _ in range(MOST_EPOCHS):
        began = time.perf_counter()
        for _ in train_epoch(model, optimizer, train_loader, "cpu"):
            steps += 1
            if steps % every == 0:
                seconds += time.perf_counter() - began
                accuracy = measure_accuracy(model, test_loader, "cpu")
                if accuracy >= goal:
                    return {
                        "seconds": seconds,
                        "epochs": steps / len(train_loader),
                        "accuracy": accuracy,
                        "reached": True,
                    }
                began = time.perf_counter()
        seconds += time.perf_counter() - began
    return {"seconds": seconds, "epochs": float(MOST_EPOCHS), "accuracy": accuracy, "reached": False}


def read_results(file: Path) -> dict[tuple[int, str], dict[str, Any]]:
    """What was measured already, by round and contestant."""
    if not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return {(line["round"], line["who"]): line for line in lines}


def measure_rounds(args: argparse.Namespace) -> list[dict[str, dict[str, Any]]]:
    """Run what is missing, who is first changing from round to round; the results of each round by contestant."""
    rounds: list[dict[str, dict[str, Any]]] = []
    for number in range(args.rounds):
        who_runs = (args.preset, "tutorial") if number % 2 == 0 else ("tutorial", args.preset)
        for who in who_runs:
            if (number, who) in read_results(args.results):
                continue
            command = [sys.executable, "-m", "benchmarks.bench_race", "--only", who, "--seed", str(number)]
            found = {"round": number, "who": who, **last_json([*command, "--goal", str(args.goal)])}
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**found, "goal": args.goal, "machine": machine()}) + "\n")
            print(json.dumps(found), flush=True)
        done = read_results(args.results)
        rounds.append({who: done[number, who] for who in who_runs})
    return rounds


def report(rounds: list[dict[str, dict[str, Any]]], preset: str) -> None:
    """Print seconds, epochs and ratios."""
    for who in (preset, "tutorial"):
        there = [pair[who] for pair in rounds if pair[who]["reached"]]
        print(f"{who}: there in {len(there)} of {len(rounds)} rounds")
        if there:
            print(f"  {spread([found['seconds'] for found in there], ' s', 1)}")
            print(f"  {spread([found['epochs'] for found in there], ' epochs', 1)}")
    both = [pair for pair in rounds if pair[preset]["reached"] and pair["tutorial"]["reached"]]
    if both:
        ratios = [pair["tutorial"]["seconds"] / pair[preset]["seconds"] for pair in both]
        print(f"the tutorial takes {spread(ratios, ' ×', 1)} as long")
        print(verdict("ratio, median", sorted(ratios)[len(ratios) // 2], 10, at_least=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("bench_race.jsonl"), metavar="FILE")
    parser.add_argument("--preset", default="race")
    parser.add_argument("--goal", type=float, default=0.99, help="accuracy, 0 to 1")
    parser.add_argument("--only", metavar="WHO", help="one contestant in this process: a preset, or tutorial")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.only == "tutorial":
        print(json.dumps(run_tutorial(args.seed, args.goal)))
    elif args.only:
        print(json.dumps(run_preset(args.only, args.seed, args.goal)))
    else:
        print(machine())
        report(measure_rounds(args), args.preset)


if __name__ == "__main__":
    main()
