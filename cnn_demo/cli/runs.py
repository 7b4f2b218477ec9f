"""``python -m cnn_demo runs``: look at the runs and steer them from a terminal."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.output import EXIT_USAGE, CommandFailed, add_json_option, complain, give, say
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.reference import BadReference, ModelRef

if TYPE_CHECKING:
    from cnn_demo.runs.records import Run
    from cnn_demo.runs.store import Store


def add_parser(subparsers: Any) -> None:
    """Add ``runs`` with its actions."""
    parser = subparsers.add_parser("runs", help="list and steer runs", description="List the runs and steer them.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")

    def action(name: str, help_text: str, run: str = "id of a run") -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = actions.add_parser(
            name, help=help_text, description=help_text.capitalize() + "."
        )
        if run:
            sub.add_argument("run", metavar="RUN", help=run)
        add_json_option(sub)
        return sub

    action("list", "the runs, the newest first", run="").add_argument(
        "--limit", type=int, metavar="N", help="only the newest N (default: all)"
    )
    action("show", "everything about one run")
    action("pause", "let a running run wait after its batch")
    again = "let a paused run go on, or queue a stopped, failed or crashed one from its last checkpoint"
    action("resume", again).add_argument(
        "--from-weights",
        action="store_true",
        help="where only the weights of a checkpoint are intact: go on from them, with fresh optimizer moments",
    )
    action("stop", "end a run after its batch; it can be resumed")
    action("lr", "change the learning rate of a run while it trains").add_argument(
        "lr", type=float, help="above 0, at most 10"
    )
    action("rename", "give a run a name").add_argument("name", help="at most 80 characters; empty takes the name away")
    action("delete", "delete an ended run with its files")
    which = "RUN, RUN@STEP or RUN@best; RUN is the newest while it trains, then the best by validation, if there is one"
    export = action("export", "write weights or metrics of a run to a file", run=which)
    export.add_argument("file", type=Path, help="ends in .safetensors, .pt (a plain state_dict) or .csv (metrics)")


def run(args: argparse.Namespace) -> int:
    """Carry out one action."""
    from cnn_demo.runs.records import RunBusy, RunNotFound, RunNotResumable
    from cnn_demo.runs.store import Store

    store = Store()
    try:
        if args.action == "list":
            return _list(store, args)
        if args.action == "export":
            return _export(store, args)
        if args.action == "delete":
            store.delete(args.run)
            say(f"{args.run}: deleted", args)
            if args.json:
                give({"run_id": args.run, "deleted": True})
            return 0
        found = _steer(store, args)
    except (ConfigError, BadReference) as error:
        return complain(error, EXIT_USAGE)
    except CommandFailed as error:
        return complain(error, error.status)
    except (RunNotFound, RunBusy, RunNotResumable) as error:
        return complain(error)
    if args.json:
        give({**as_dict(found), "epochs": [dataclasses.asdict(row) for row in store.epochs(found.id)]})
    elif args.action == "show":
        _show(store, found)
    else:
        print(f"{found.id}: {found.state.value}")
    return 0


def _steer(store: Store, args: argparse.Namespace) -> Run:
    from cnn_demo.runs import launcher, recovery

    if args.action == "lr":
        TrainConfig(lr=args.lr)  # a wrong rate is a wrong command line, whatever the run
    _refuse_in_vain(store.get(args.run), args.action)
    if args.action == "lr":
        return store.set_lr(args.run, args.lr)
    if args.action == "rename":
        return store.rename(args.run, args.name)
    if args.action == "resume":
        found = recovery.go_on_from_weights(store, args.run) if args.from_weights else store.resume(args.run)
        launcher.ensure_worker(store)
        return found
    return {"show": store.get, "pause": store.pause, "stop": store.stop}[args.action](args.run)


def _refuse_in_vain(run: Run, action: str) -> None:
    """Refuse what would do nothing, so that a script learns of it.

    Raises:
        CommandFailed: the run has ended, or it waits and can only be stopped.
    """
    if action in ("pause", "stop", "lr") and run.state.ended:
        raise CommandFailed(f"run {run.id} is {run.state.value}: {action} works on a run that waits or trains")
    if action == "pause" and run.state.value in ("queued", "stopping"):
        raise CommandFailed(f"run {run.id} is {run.state.value}: pause works on a run that trains")


def as_dict(run: Run) -> dict[str, Any]:
    """A run as plain data."""
    return {**dataclasses.asdict(run), "state": run.state.value, "config": run.config.public_dict(), "run_id": run.id}


def _list(store: Store, args: argparse.Namespace) -> int:
    found = store.list(args.limit)
    if args.json:
        give({"home": str(store.home), "runs": [as_dict(run) for run in found]})
        return 0
    if not found:
        print(f"no runs in {store.home}")
    for run in found:
        accuracy = f"{run.test_accuracy:.2%} (n = {run.test_n:,})" if run.test_accuracy is not None else ""
        print(
            f"{run.id}  {run.state.value:9} {run.config.dataset:14} {run.config.model:10} epoch {run.epoch:6.2f}"
            f"  {accuracy:20} {run.name}{'  (made by another version)' if run.from_other_version else ''}"
        )
    return 0


def _show(store: Store, run: Run) -> None:
    from cnn_demo.runs import recovery

    print(f"{run.title} ({run.id}): {run.state.value}" + (f"\n{run.error}" if run.error else ""))
    if run.from_other_version:
        print(f"  made by another version of this program: {run.problem}")
    for name, value in run.config.public_dict().items():
        print(f"  {name:14} {value}")
    for row in store.epochs(run.id):
        print(
            f"  epoch {row.epoch:3}: train loss {row.train_loss:.4f}, test loss {row.test_loss:.4f}, "
            f"test accuracy {row.test_accuracy:.2%} (n = {row.test_n:,})"
        )
    for checkpoint in store.checkpoints(run.id):
        print(f"  checkpoint at step {checkpoint.step}: {checkpoint.path}")
    for folder in recovery.find_earlier(store, run.id):
        print(f"  set aside when it went on from an earlier step: {folder}")


def _export(store: Store, args: argparse.Namespace) -> int:
    kind = args.file.suffix
    if kind not in (".safetensors", ".pt", ".csv"):
        return complain(f"{args.file}: the name must end in .safetensors, .pt or .csv", EXIT_USAGE)
    ref = ModelRef.parse(args.run)
    content = store.metrics_csv(ref.name).encode() if kind == ".csv" else _read_weights(store, ref, kind)
    args.file.write_bytes(content)
    say(f"{args.file}: {len(content):,} bytes", args)
    if args.json:
        give({"run_id": ref.name, "file": str(args.file), "bytes": len(content)})
    return 0


def _read_weights(store: Store, ref: ModelRef, kind: str) -> bytes:
    """The weights of a checkpoint as a file.

    Raises:
        CommandFailed: there is no such checkpoint, or it is damaged: then it is not handed out.
    """
    from cnn_demo.prediction.source import find_checkpoint
    from cnn_demo.training.snapshot import WEIGHTS, CheckpointUnreadable, read_meta, read_tensors, state_dict_pt

    found = find_checkpoint(ref, store)
    if found is None:
        raise CommandFailed(f"{ref}: the run has no such checkpoint")
    try:
        if kind == ".pt":
            return state_dict_pt(found.path)
        read_tensors(found.path, WEIGHTS, read_meta(found.path))  # finds damage
        return (found.path / WEIGHTS).read_bytes()
    except CheckpointUnreadable as error:
        raise CommandFailed(f"{ref}: {error}") from error
