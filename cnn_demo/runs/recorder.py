"""What the process that trains a run says to the store, and what it is asked from there."""

from __future__ import annotations

import time
from typing import Any

from cnn_demo.runs.estimate import speed_key
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.runs.strip import StripWriter
from cnn_demo.training.control import Control
from cnn_demo.training.events import EpochEnd, Progress, Snapshot, Started, Watched

REQUEST_SECONDS = 0.1


class RunAbandoned(RuntimeError):
    """The store no longer counts on this worker: the run was declared dead or deleted."""


class StoreControl(Control):
    """Control from the store: what people ask on a page or a command line reaches the loop within 0.1 s."""

    def __init__(self, store: Store, run_id: str) -> None:
        super().__init__()
        self._store, self._run_id, self._next = store, run_id, 0.0

    def refresh(self) -> None:
        """Look for requests, at most ten times a second.

        Raises:
            RunAbandoned: the run was declared dead or deleted.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + REQUEST_SECONDS
        requests = self._store.take_requests(self._run_id)
        if requests is None:
            raise RunAbandoned(self._run_id)
        if requests.action == "stop":
            self.stop()
        elif requests.action == "pause":
            self.pause()
        else:
            self.resume()
        if requests.lr is not None:
            self.set_lr(requests.lr)


class Recorder:
    """Writes the story of one run. Every method is one transaction, or one record in a file of the run's folder."""

    def __init__(self, store: Store, run: Run) -> None:
        self.store, self.run = store, run
        self._strip: StripWriter | None = None

    def activity(self, **what: Any) -> None:
        """What a starting run is doing, for people who wait."""
        self.store.change_run(self.run.id, activity=what)

    def rewind(self, snapshot: Snapshot | None) -> list[tuple[int, float]]:
        """Forget the metrics after a snapshot, for they will be made again; returns the learning rates set since."""
        step, epoch = (snapshot.step, snapshot.epoch) if snapshot else (0, 0.0)
        return self.store.rewind(self.run.id, step, epoch)

    def started(self, event: Started, versions: dict[str, str]) -> None:
        """The first step is about to be taken."""
        facts = {"total_steps": event.total_steps, "parameters": event.parameters, "train_n": event.train_n}
        self.store.change_run(self.run.id, step=event.step, activity={}, versions=versions, **facts)
        self._strip = StripWriter(self.store.folder(self.run.id), event.total_steps)
        self.state(RunState.RUNNING)

    def state(self, state: RunState) -> None:
        """Move to ``running`` or ``paused``; a run that is asked to stop stays ``stopping``."""
        self.store.set_state(self.run.id, state)

    def mark(self, kind: str, step: int, epoch: float, value: float | None = None) -> None:
        """Something happened to the run after a step."""
        self.store.add_mark(self.run.id, kind, step, epoch, value)

    def progress(self, event: Progress) -> None:
        """Steps were taken."""
        self.store.add_steps(
            self.run.id,
            event.steps,
            step=event.steps[-1].step,
            epoch=event.steps[-1].epoch,
            samples_per_second=event.samples_per_second,
            train_seconds=event.train_seconds,
            memory_bytes=event.memory_bytes,
        )

    def watched(self, event: Watched) -> None:
        """What the network makes of its strip. It comes before the steps, which tell that there is news."""
        if self._strip is not None:
            self._strip.add(event)

    def epoch_end(self, event: EpochEnd) -> None:
        """A pass over the training split is complete; its speed is remembered for estimates."""
        metrics: dict[str, Any] = {"lr": event.lr, "samples_per_second": event.samples_per_second}
        metrics["seconds"] = event.train.seconds
        for split, result in (("train", event.train), ("test", event.test), ("val", event.val)):
            if result is not None:
                metrics |= {f"{split}_{name}": getattr(result, name) for name in ("loss", "accuracy", "n")}
        self.store.add_epoch(self.run.id, event.epoch, event.step, metrics, best=event.best)
        self.store.add_speed(self.run.device, speed_key(self.run.config), event.samples_per_second)

    def checkpoint(self, step: int, epoch: float, folder: str) -> None:
        """A checkpoint was saved in a folder of the run's folder."""
        self.store.add_checkpoint(self.run.id, step, epoch, folder)

    def end(self, state: RunState) -> None:
        """The run ended as it should."""
        self._end(state=state.value)

    def fail(self, kind: str, error: str, detail: str = "", hint: dict[str, Any] | None = None) -> None:
        """End in ``failed``, with a sentence for people, a word for programs, and data for a way out."""
        failed = RunState.FAILED.value
        self._end(state=failed, error=error, error_kind=kind, error_detail=detail, hint=hint or {})

    def _end(self, **values: Any) -> None:
        cleared: dict[str, Any] = {"request": "", "lr_request": None, "activity": {}, "owned": False}
        self.store.change_run(self.run.id, ended=time.time(), **cleared, **values)
