"""What the run store hands out: small frozen records, and its errors."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from cnn_demo.settings.config import TrainConfig


class RunState(str, Enum):
    """Where a run is in its life."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    CRASHED = "crashed"

    @property
    def active(self) -> bool:
        """Waiting for a device or holding one."""
        return self in ACTIVE

    @property
    def ended(self) -> bool:
        return self not in ACTIVE

    @property
    def can_pause(self) -> bool:
        """On its way or training, and not asked to end."""
        return self in (RunState.STARTING, RunState.RUNNING)

    @property
    def resumable(self) -> bool:
        """Ended before its last step, so that it can go on from a checkpoint."""
        return self in (RunState.STOPPED, RunState.FAILED, RunState.CRASHED)


ACTIVE = frozenset({RunState.QUEUED, RunState.STARTING, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING})
HOLDS_DEVICE = ACTIVE - {RunState.QUEUED}


@dataclass(frozen=True, slots=True)
class Run:
    """One training run as the store knows it.

    Attributes:
        id: short and unique; also the name of its folder.
        number: counts the runs of this store, for people.
        name: what its owner calls it; may be empty.
        device: the resolved device, empty until a worker took the run.
        created, started, ended: Unix time in seconds; ``started`` and ``ended`` are None until then.
        step, total_steps, epoch: progress; ``epoch`` is fractional.
        samples_per_second, memory_bytes, train_seconds: the latest measurements; ``train_seconds`` leaves out pauses
            and evaluation.
        test_accuracy, test_loss, test_n: of the last complete epoch, on the data set's test split; None before that.
            ``val_*`` likewise.
        error: one English sentence; empty when nothing is wrong. ``error_kind`` is a word for programs,
            ``error_detail`` a traceback, ``hint`` data for a way out.
        activity: what a starting run is doing, e.g. ``{"doing": "download", "file": ..., "done": ..., "total": ...}``.
        owned: a command line holds it; workers leave it alone.
        request: what it was asked and has not done yet: ``pause``, ``stop`` or nothing.
        queue_position: 1 for the next to start; 0 when not queued.
        version: grows with every change.
        unknown_settings: settings that this version of the program does not know, by name.
        problem: what of the run cannot be read, in English; empty where all is understood.
    """

    id: str
    number: int
    name: str
    state: RunState
    config: TrainConfig
    device: str
    created: float
    started: float | None
    ended: float | None
    step: int
    total_steps: int
    epoch: float
    samples_per_second: float
    memory_bytes: int
    train_seconds: float
    parameters: int
    train_n: int
    test_accuracy: float | None = None
    test_loss: float | None = None
    test_n: int | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None
    val_n: int | None = None
    error: str = ""
    error_kind: str = ""
    error_detail: str = ""
    hint: dict[str, Any] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    owned: bool = False
    request: str = ""
    queue_position: int = 0
    version: int = 0
    unknown_settings: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def from_other_version(self) -> bool:
        """Another version of the program made it, and this one does not understand all of it: it is only shown."""
        return bool(self.problem or self.unknown_settings)

    @property
    def is_starting(self) -> bool:
        """Waiting, being prepared, or running without a first step to show."""
        before = self.state in (RunState.QUEUED, RunState.STARTING)
        return before or (self.state is RunState.RUNNING and not self.step)

    @property
    def is_asked(self) -> bool:
        """It is asked to pause, to go on or to end, and has not done so yet."""
        if self.state in (RunState.STARTING, RunState.RUNNING):
            return self.request == "pause"
        return self.state is RunState.STOPPING or (self.state is RunState.PAUSED and not self.request)

    @property
    def title(self) -> str:
        """The name, or what it is when nobody named it."""
        return self.name or f"{self.config.model} · {self.config.dataset} · {self.number}"


@dataclass(frozen=True, slots=True)
class Curve:
    """Training metrics over steps; sample-weighted means where several steps share a point.

    Steps whose loss or accuracy was not finite are left out. The norm of the gradient is NaN where none was recorded.
    """

    step: list[int]
    epoch: list[float]
    loss: list[float]
    accuracy: list[float]
    lr: list[float]
    grad_norm: list[float]

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, slots=True)
class EpochRow:
    """Metrics of one complete epoch; losses in nats, accuracies 0 to 1, each with its number of samples.

    A value that is not finite is NaN. ``best`` says whether the validation loss is the lowest so far.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    train_n: int
    test_loss: float
    test_accuracy: float
    test_n: int
    val_loss: float | None
    val_accuracy: float | None
    val_n: int | None
    lr: float
    seconds: float
    samples_per_second: float
    best: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to a run: ``kind`` is ``lr``, ``crash``, ``restart`` or ``checkpoint_lost``."""

    step: int
    epoch: float
    kind: str
    value: float | None
    at: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Saved weights of a run after ``step`` optimizer steps.

    ``best`` says whether they had the lowest validation loss of the run; never where nothing was validated.
    """

    run_id: str
    step: int
    epoch: float
    path: Path
    test_accuracy: float | None
    test_n: int | None
    best: bool = False


@dataclass(frozen=True, slots=True)
class RunChoice:
    """A run as a picker offers it, with the steps of its newest and its best checkpoint; None where it has none."""

    run: Run
    newest_step: int | None
    best_step: int | None


@dataclass(frozen=True, slots=True)
class Requests:
    """What people ask of a run that trains."""

    action: Literal["", "pause", "stop"]
    lr: float | None


class StoreUnavailable(OSError):
    """The run store cannot be read or written, or another version of the program made it.

    Attributes:
        path: the file of the store.
        reason: what the database says; ``errno`` is ENOSPC where the disk is full.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.ENOSPC if "disk is full" in reason else errno.EIO, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"the run store {self.path} cannot be used: {self.reason}"


class RunNotFound(KeyError):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"there is no run {self.run_id!r}"


class RunBusy(RuntimeError):
    """The run is active and cannot be deleted or resumed."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} is {run.state.value}: stop it first")
        self.run = run


class RunNotResumable(RuntimeError):
    """The run is finished, or another version of the program made it."""

    def __init__(self, run: Run) -> None:
        reason = f"is {run.state.value}: nothing is left to do"
        if run.from_other_version:
            reason = f"was made by another version of this program and cannot go on here ({run.problem})"
        super().__init__(f"run {run.id} {reason}")
        self.run = run
