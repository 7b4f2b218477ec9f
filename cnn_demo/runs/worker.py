"""The training process: waits for a run, trains it, ends.

``python -m cnn_demo.runs.worker`` imports torch at once and then waits for the queue, so that the next click on
"train" starts in no time. It trains exactly one run: a fresh process for each gives all memory back, and what breaks
one run cannot break another.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from cnn_demo.runs import launcher, recovery
from cnn_demo.runs.failures import name_failure
from cnn_demo.runs.queue import QueuePoll
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.errors import HIDDEN

if TYPE_CHECKING:
    from cnn_demo.datasets.download import DownloadProgress
    from cnn_demo.datasets.load import Dataset
    from cnn_demo.runs.recorder import Recorder
    from cnn_demo.training.control import Control
    from cnn_demo.training.events import CheckpointDue, EpochEnd, Event, Snapshot

log = logging.getLogger(__name__)

IDLE_SECONDS = float(os.environ.get("CNN_DEMO_STANDBY", "600"))
_POLL_SECONDS = 0.05
_POLLS_BETWEEN_CHECKS = 40


def versions() -> dict[str, str]:
    """What has a say in a run's numbers."""
    import platform

    import torch

    import cnn_demo

    return {
        "cnn_demo": cnn_demo.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }


def execute(
    store: Store,
    run: Run,
    on_event: Callable[[Event], None] | None = None,
    on_preparing: Callable[[str, float], None] | None = None,
) -> Run:
    """Train a claimed run to its end, writing everything into the store. The caller holds the run's lock.

    Args:
        store: the run store.
        run: a run in state ``starting``.
        on_event: told every event as well (a progress bar).
        on_preparing: told what is done before the first step, and the part that is done, 0 to 1.

    Returns:
        The run as it ended: finished, stopped or failed. No exception for what can go wrong with a run.
    """
    from cnn_demo.runs.recorder import Recorder, RunAbandoned

    recorder = Recorder(store, run)
    try:
        _train(store, recorder, on_event, on_preparing)
    except RunAbandoned:
        log.warning("run %s was declared dead or deleted: this worker ends", run.id)
    except Exception as error:
        _fail(store, recorder, error)
    return store.get(run.id)


def _fail(store: Store, recorder: Recorder, error: Exception) -> None:
    run = recorder.run
    detail = "".join(traceback.format_exception(error))
    kind, hint = name_failure(store, run, error)
    # What has words of its own needs no traceback on a terminal; a worker's log has it all the same.
    log.log(logging.ERROR if kind == "error" else logging.INFO, "%s", detail)
    sentence = (str(error) or type(error).__name__).splitlines()[0]
    if kind == "disk_full" and not hint:
        sentence = f"the disk is full: {store.home} has no room for the next checkpoint"
    elif kind == "folder_missing":
        sentence = f"the folder of run {run.id} was deleted while it trained"
    secret = run.config.collection  # a key: who knows it can read and delete the drawings
    if secret:
        sentence, detail = sentence.replace(secret, HIDDEN), detail.replace(secret, HIDDEN)
    try:
        recorder.fail(kind, sentence, detail, hint)
    except OSError:
        # Not even a row fits. The run's lock is released next, so the next look finds the run crashed.
        log.exception("the store cannot be written")


def _train(
    store: Store,
    recorder: Recorder,
    on_event: Callable[[Event], None] | None,
    on_preparing: Callable[[str, float], None] | None,
) -> None:
    from cnn_demo.runs import finetune
    from cnn_demo.runs.recorder import StoreControl
    from cnn_demo.runs.watching import prepare_watched
    from cnn_demo.training.events import EpochEnd, Finished
    from cnn_demo.training.loop import fit

    run = recorder.run
    control = StoreControl(store, run.id)
    sayings = _Sayings(recorder, control, on_preparing)
    data = _load_data(recorder, sayings)
    if data is None:
        recorder.end(RunState.STOPPED)
        return
    snapshot = _go_back(store, recorder)
    plan = recorder.rewind(snapshot)
    weights, drawings = finetune.prepare_fine_tuning(store, run, data, fresh=snapshot is None)
    events = fit(
        run.config.replace(device=run.device),
        dataset=data,
        control=control,
        resume=snapshot,
        initial_weights=weights,
        extra_samples=drawings,
        lr_plan=plan,
        watched=prepare_watched(store.folder(run.id), data),
        preparing=sayings.tell,
    )
    last_epoch: EpochEnd | None = None
    try:
        for event in events:
            if isinstance(event, EpochEnd):
                last_epoch = event
            elif isinstance(event, Finished):
                finetune.measure_after(store, run, data, drawings)
            _record_event(store, recorder, event, last_epoch)
            if on_event:
                on_event(event)
    except _Stopped:
        recorder.end(RunState.STOPPED)


def _load_data(recorder: Recorder, sayings: _Sayings) -> Dataset | None:
    """The data set of a run, fetched where it is not here; None when the run is asked to stop meanwhile."""
    from cnn_demo.datasets.load import load_dataset

    def report(progress: DownloadProgress) -> None:
        sayings.say(doing="download", file=progress.file, done=progress.done_bytes, total=progress.total_bytes)

    name = recorder.run.config.dataset
    recorder.activity(doing="load", file=name)
    try:
        return load_dataset(name, progress=report)
    except _Stopped:
        return None


class _Sayings:
    """What a run does before its first step, told to the store a few times a second; a wish to stop is heard."""

    def __init__(self, recorder: Recorder, control: Control, listener: Callable[[str, float], None] | None) -> None:
        self.recorder, self.control, self.listener = recorder, control, listener
        self._at, self._doing = 0.0, ""

    def tell(self, what: str, part: float) -> None:
        """A :data:`cnn_demo.training.events.Preparing`."""
        self.say(doing=what, done=part, total=1.0)

    def say(self, *, doing: str, **more: Any) -> None:
        """Record what is being done.

        Raises:
            _Stopped: the run was asked to stop.
        """
        now = time.monotonic()
        if doing == self._doing and now - self._at <= 0.25:
            return
        self._at, self._doing = now, doing
        if self.listener is not None:
            self.listener(doing, more["done"] / more["total"] if more.get("total") else 0.0)
        self.control.refresh()
        if self.control.stopping:
            raise _Stopped
        self.recorder.activity(doing=doing, **more)


class _Stopped(Exception):
    """The run was asked to stop before its first step."""


def _record_event(store: Store, recorder: Recorder, event: Event, last_epoch: EpochEnd | None) -> None:
    from cnn_demo.training import events

    match event:
        case events.Started():
            recorder.started(event, versions())
        case events.Progress():
            recorder.progress(event)
        case events.Watched():
            recorder.watched(event)
        case events.EpochEnd():
            recorder.epoch_end(event)
        case events.CheckpointDue():
            _keep_checkpoint(store, recorder, event, last_epoch)
        case events.Paused():
            recorder.state(RunState.PAUSED)
        case events.Resumed():
            recorder.state(RunState.RUNNING)
        case events.LrChanged():
            recorder.mark("lr", event.step, event.epoch, event.lr)
        case events.Finished():
            recorder.end(RunState.STOPPED if event.reason == "stopped" else RunState.FINISHED)


def _keep_checkpoint(store: Store, recorder: Recorder, due: CheckpointDue, last_epoch: EpochEnd | None) -> None:
    """Write a checkpoint; at the end of an epoch its meta file says how the network did on the test split."""
    from cnn_demo.training.snapshot import checkpoint_name, save_checkpoint

    run, test = recorder.run, {}
    if last_epoch is not None and last_epoch.step == due.step:
        found = last_epoch.test
        test = {"dataset": run.config.dataset, "accuracy": found.accuracy, "loss": found.loss, "n": found.n}
    extra = {"run_id": run.id, "versions": versions(), "test": test}
    save_checkpoint(store.folder(run.id) / "checkpoints", due.capture(), extra)
    recorder.checkpoint(due.step, due.epoch, f"checkpoints/{checkpoint_name(due.step)}")


def _go_back(store: Store, recorder: Recorder) -> Snapshot | None:
    """The snapshot from which a run goes on, or None for a fresh start. What comes after it is set aside or forgotten.

    Raises:
        OnlyWeightsLeft, CheckpointUnreadable: see :func:`recovery.find_resume_point`.
    """
    run = recorder.run
    point = recovery.find_resume_point(store, run)
    if point is None:
        return None
    if point.lost:
        log.warning("damaged checkpoints were set aside: %s", recovery.set_aside(store, run.id, point.snapshot.step))
    for checkpoint in point.lost:
        recorder.mark("checkpoint_lost", checkpoint.step, checkpoint.epoch)
    recorder.mark("restart", point.snapshot.step, point.snapshot.epoch)
    return point.snapshot


def wait_and_work(store: Store, idle_seconds: float = IDLE_SECONDS, pipe: int | None = None) -> None:
    """Be the standby: hold the standby lock, wait for a run, train it; end after it, or when idle for too long.

    Args:
        store: the run store.
        idle_seconds: how long to wait for a run.
        pipe: file descriptor of this worker's watchdog, which is told that a run was taken.
    """
    standby = launcher.take_standby_lock(store)
    if standby is None:
        return
    try:
        claimed = _await_claim(store, idle_seconds)
    finally:
        standby.release()
    if claimed is None:
        return
    run, lock = claimed
    launcher.forget_spawn(store)
    if pipe is not None:
        with contextlib.suppress(OSError):  # the watchdog is gone, or a person started this worker
            os.write(pipe, launcher.TOOK_RUN)
    try:
        _log_into(store.folder(run.id) / "worker.log")
        execute(store, run)
    finally:
        lock.release()
    launcher.hand_over(store)  # the watchdog does it as well, but it may be gone


def _log_into(path: Path) -> None:
    """From here on this process's words, a crash of the interpreter included, belong to one run."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    faulthandler.enable()


def _warm_up() -> None:
    """Load what a run needs and PyTorch loads on first use only: a second and more that no click should pay.

    Nothing random is drawn, and a run seeds its generators itself.
    """
    import torch
    import torch.nn.functional as F

    import cnn_demo.models.cnn
    import cnn_demo.runs.finetune
    import cnn_demo.runs.recorder
    import cnn_demo.runs.watching
    import cnn_demo.training.classification
    import cnn_demo.training.loop  # noqa: F401
    from cnn_demo.datasets.load import load_dataset

    load_dataset("mnist-mini")
    kernel = torch.full((2, 1, 3, 3), 0.1, requires_grad=True)
    adam = torch.optim.AdamW([kernel], fused=True)
    outputs = F.max_pool2d(F.conv2d(torch.ones(1, 1, 8, 8), kernel), 6).flatten(1)  # (1, 2, 6, 6) -> (1, 2)
    F.kl_div(F.log_softmax(outputs, dim=1), torch.tensor([[1.0, 0.0]]), reduction="batchmean").backward()
    adam.step()


def _await_claim(store: Store, idle_seconds: float) -> tuple[Run, FileLock] | None:
    try:
        from cnn_demo.training.device import available_devices

        devices = available_devices()
        _warm_up()
    except Exception as error:  # a broken installation: the run that waits must say so
        store.fail_head("import", f"the training process cannot start: {error}", traceback.format_exc())
        launcher.forget_spawn(store)
        raise
    poll = QueuePoll(store, devices)
    idle_since = time.monotonic()
    polls = 0
    while time.monotonic() - idle_since < idle_seconds:
        if not store.home.is_dir():
            return None
        if claimed := poll.claim():
            return claimed
        if poll.waiting:
            idle_since = time.monotonic()
            polls += 1
            if polls % _POLLS_BETWEEN_CHECKS == 0:
                store.maintain()  # finds a dead worker that still seems to hold the device
        time.sleep(_POLL_SECONDS)
    return None


def _keep_watchdog_pipe() -> int:
    """Standard input is the watchdog's pipe: keep it under another number, which no child process inherits."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def main(argv: list[str] | None = None) -> int:
    """The entry point of the process."""
    parser = argparse.ArgumentParser(prog="python -m cnn_demo.runs.worker", description="Train the next queued run.")
    parser.add_argument("--home", type=Path, help="the folder of the runs (default: CNN_DEMO_HOME)")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the server's terminal is meant for the server
    wait_and_work(Store(args.home), pipe=_keep_watchdog_pipe())
    return 0


if __name__ == "__main__":
    sys.exit(main())
