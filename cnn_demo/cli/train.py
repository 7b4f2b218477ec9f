"""``python -m cnn_demo train``: a run in this terminal, kept in the same store as the app's."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    add_json_option,
    complain,
    give,
    say,
    versions,
)
from cnn_demo.datasets.specs import get_spec
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.flags import add_flags, read_flags
from cnn_demo.settings.reference import ModelRef

if TYPE_CHECKING:
    import torch

    from cnn_demo.prediction.source import Checkpoint
    from cnn_demo.runs.records import Run
    from cnn_demo.runs.store import Store
    from cnn_demo.training.events import Event

_LOOKS_FOR_THE_DEAD = 10  # looks at the queue from one search for dead processes to the next: about two seconds


def add_parser(subparsers: Any) -> None:
    """Add ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train a model and keep the run",
        description="Train a model in this terminal. The run appears in the app while it trains; Ctrl-C stops it after "
        "the batch in progress, and `runs resume` goes on from there.",
    )
    parser.add_argument("--name", default="", help="a name for the run")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FOLDER",
        help="also copy weights and config there: of the best checkpoint by validation, or of the newest where nothing "
        "was validated",
    )
    add_json_option(parser)
    add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and report how the run ended."""
    from cnn_demo.runs.store import Store
    from cnn_demo.training.cautions import find_cautions
    from cnn_demo.training.device import check_precision, resolve_device

    try:
        config = read_flags(args)
        device = resolve_device(config.device)
        if args.preset and not hasattr(args, "precision"):
            config = _suit_precision(config, device)
        check_precision(config, device)
    except ConfigError as error:
        return complain(error, EXIT_USAGE)
    for caution in find_cautions(config, get_spec(config.dataset)):
        print("warning:", caution.message.format(**caution.values), file=sys.stderr)
    store = Store()
    finished = _train_here(store, config, args)
    result = _result(store, finished)
    if finished.error:
        complain(finished.error)
    elif args.save is not None and result["checkpoint"]:
        _save(Path(result["checkpoint"]), args.save)
        result["saved"] = str(args.save)
    if args.json:
        give(result)
    elif finished.test_accuracy is not None:
        print(
            f"{finished.id}: {finished.state.value}, {config.dataset} test accuracy {finished.test_accuracy:.2%} "
            f"(n = {finished.test_n:,}), {finished.train_seconds:.1f} s on {finished.device}"
        )
        if result["fresh_head"]:
            print(f"the last layer began afresh: {config.init} was trained on other classes")
    from cnn_demo.runs.records import RunState

    status = {RunState.FINISHED: 0, RunState.STOPPED: EXIT_INTERRUPTED}
    return status.get(finished.state, EXIT_FAILED)


def _suit_precision(config: TrainConfig, device: torch.device) -> TrainConfig:
    from cnn_demo.settings.precision import suit_precision
    from cnn_demo.training.device import find_arithmetic

    suited = suit_precision(config, find_arithmetic(device))
    if suited != config:
        print(
            f"the preset's {config.precision} is no gain on this device, so it trains in {suited.precision}; "
            f"--precision {config.precision} insists on it",
            file=sys.stderr,
        )
    return suited


def _train_here(store: Store, config: TrainConfig, args: argparse.Namespace) -> Run:
    from cnn_demo.runs import launcher
    from cnn_demo.runs.worker import execute
    from cnn_demo.training.device import available_devices

    run_id = store.new_id()
    store.folder(run_id).mkdir(parents=True)
    with (
        launcher.watched(store),
        store.lock(run_id),
        _Bar(config, enabled=sys.stderr.isatty()) as bar,
        _interruptible() as interrupted,
    ):
        store.create(config, name=args.name, owned=True, run_id=run_id)
        say(f"run {run_id}", args)
        sys.stdout.flush()
        devices = available_devices()

        def listen(event: Event) -> None:
            bar.show(event)
            if interrupted:
                store.stop(run_id)

        def prepare(doing: str, part: float) -> None:
            bar.show_preparing(doing, part)
            if interrupted:
                store.stop(run_id)

        for look in itertools.count():
            claimed = store.claim_own(devices, run_id)
            if claimed is not None:
                return execute(store, claimed, listen, prepare)
            waiting = store.get(run_id)
            if waiting.state.ended or interrupted:
                break
            if look == 0:
                position = waiting.queue_position
                print(f"waiting: another run is using the device (position {position})", file=sys.stderr)
            if look % _LOOKS_FOR_THE_DEAD == 1:
                store.maintain()  # finds a dead process that still seems to hold the device
            time.sleep(0.2)
        return store.stop(run_id)


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Ctrl-C once asks for an orderly stop (the list is no longer empty); twice ends at once."""
    signals: list[int] = []

    def note(number: int, _frame: object) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)
        print("\nstopping after this batch (Ctrl-C again: at once)", file=sys.stderr)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, config: TrainConfig, *, enabled: bool) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(desc=config.model, unit=" step", file=sys.stderr, disable=not enabled, dynamic_ncols=True)
        self._enabled = enabled

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show_preparing(self, doing: str, part: float) -> None:
        """Say what is done before the first step."""
        if self._enabled:
            words = {"samples": "drawing samples", "compile": "compiling", "download": "fetching the data set"}
            share = f" {part:.0%}" if part else ""
            self._bar.set_postfix_str(f"{words.get(doing, doing)}{share}", refresh=True)

    def show(self, event: Event) -> None:
        """Move the bar, and print a line at the end of an epoch."""
        from cnn_demo.training.events import EpochEnd, Progress, Started

        if not self._enabled:
            return
        if isinstance(event, Started):
            self._bar.set_postfix_str("", refresh=False)
            self._bar.reset(total=event.total_steps)
            self._bar.update(event.step)
        elif isinstance(event, Progress):
            last = event.steps[-1]
            self._bar.set_postfix_str(f"loss {last.loss:.3f}, {event.samples_per_second:,.0f} samples/s", refresh=False)
            self._bar.update(last.step - self._bar.n)
        elif isinstance(event, EpochEnd):
            val = f", validation {event.val.accuracy:.2%} (n = {event.val.n:,})" if event.val else ""
            self._bar.write(
                f"epoch {event.epoch}: train loss {event.train.loss:.4f}, test loss {event.test.loss:.4f}, "
                f"test accuracy {event.test.accuracy:.2%} (n = {event.test.n:,}){val}",
                file=sys.stderr,
            )


def _result(store: Store, run: Run) -> dict[str, Any]:
    from cnn_demo.runs.finetune import has_fresh_head

    checkpoint = _find_checkpoint(store, run.id)
    return {
        "run_id": run.id,
        "state": run.state.value,
        "dataset": run.config.dataset,
        "model": run.config.model,
        "parameters": run.parameters,
        "n": run.test_n,
        "accuracy": run.test_accuracy,
        "loss": run.test_loss,
        "val_n": run.val_n,
        "val_accuracy": run.val_accuracy,
        "seconds": run.train_seconds,
        "samples_per_second": run.step / run.total_steps * run.train_n * run.config.epochs / run.train_seconds
        if run.train_seconds
        else None,
        "steps": run.step,
        "device": run.device,
        "precision": run.config.precision,
        "seed": run.config.seed,
        "init": run.config.init or None,
        "fresh_head": has_fresh_head(store, run),
        "network": f"{run.id}@{checkpoint.step}" if checkpoint else None,
        "checkpoint": str(checkpoint.path) if checkpoint else None,
        "error": run.error or None,
        "error_kind": run.error_kind or None,
        "versions": versions(),
    }


def _find_checkpoint(store: Store, run_id: str) -> Checkpoint | None:
    """What the name of the run stands for: its best checkpoint by validation, or its newest."""
    from cnn_demo.prediction.source import find_checkpoint

    return find_checkpoint(ModelRef("run", run_id), store)


def _save(checkpoint: Path, folder: Path) -> None:
    """Copy weights and config; what only a resumed run needs (moments, random state) stays behind."""
    from cnn_demo.training.snapshot import META, WEIGHTS

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(checkpoint / WEIGHTS, folder / WEIGHTS)
    meta = json.loads((checkpoint / META).read_text("utf-8"))
    meta.pop("state", None)
    meta["sha256"] = {WEIGHTS: meta["sha256"][WEIGHTS]}
    (folder / META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
