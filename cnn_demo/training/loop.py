"""``fit()``: the training loop. It yields events and knows nothing of who listens."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.control import Control
from cnn_demo.training.device import is_out_of_memory
from cnn_demo.training.errors import OutOfMemory, ResumeError, TrainingDiverged
from cnn_demo.training.evaluate import evaluate
from cnn_demo.training.events import (
    CheckpointDue,
    EpochEnd,
    EvalResult,
    Event,
    Finished,
    LrChanged,
    Paused,
    Preparing,
    Resumed,
    Snapshot,
    Started,
    say_nothing,
)
from cnn_demo.training.meter import Meter
from cnn_demo.training.schedules import learning_rate
from cnn_demo.training.trainer import Trainer, find_fitting_batch
from cnn_demo.training.watch import Watcher

REPORT_SECONDS = 0.25
CHECKPOINT_STEPS: tuple[int, ...] = (0, 10, 30, 100, 300)  # besides those at the end of each epoch
_SEED_STRIDE = 1_000_003  # a prime, so that (seed, step) and (seed, epoch) pairs of small numbers do not meet


def fit(
    config: TrainConfig,
    *,
    dataset: Dataset | None = None,
    control: Control | None = None,
    resume: Snapshot | None = None,
    initial_weights: dict[str, Tensor] | None = None,
    extra_samples: Split | None = None,
    lr_plan: Sequence[tuple[int, float]] = (),
    checkpoint_steps: Sequence[int] = CHECKPOINT_STEPS,
    watched: Tensor | None = None,
    preparing: Preparing = say_nothing,
) -> Iterator[Event]:
    """Train a model and tell about it.

    The events come in this order: :class:`Started`; then per epoch :class:`Progress` (about four a second) and
    :class:`EpochEnd`; :class:`CheckpointDue` at the given steps and at each epoch; at last :class:`Finished`. The
    trained weights are in the snapshot of the last ``CheckpointDue``. With ``watched`` there is a :class:`Watched`
    after ``Started``, before ``Finished``, and before a ``Progress`` where looking takes at most a hundredth of the
    time.

    Every random choice is a function of ``(config.seed, step or epoch)``. So a loop that is resumed from a snapshot
    goes on exactly as if it had never been interrupted: bit for bit on the CPU, with one version of PyTorch and one
    number of threads. For this the loop seeds PyTorch's global generators at every step (dropout has no generator of
    its own).

    Args:
        config: what to do.
        dataset: the data, when already loaded; else ``load_dataset(config.dataset)``.
        control: requests to stop, to pause and for a new learning rate, looked at before every step.
        resume: a snapshot to go on from.
        initial_weights: a ``state_dict`` to begin with instead of fresh weights (fine-tuning).
        extra_samples: samples to mix in besides the data set's, repeated to a fixed share of an epoch
            (:data:`cnn_demo.training.samples.EXTRA_SHARE`). A resumed run needs the same ones again.
        lr_plan: ``(step, lr)`` of the changes of the base learning rate that were made earlier in this run, in the
            order in which they were made. Those that come after the snapshot are made again at the same steps, unless
            a later change, made after a resume at an earlier step, has replaced them.
        checkpoint_steps: optimizer steps at which a checkpoint is due, besides the end of each epoch.
        watched: ``(N, C, H, W)`` float32, normalized: pictures to look at, never to learn from. The weights are the
            same, bit for bit on the CPU, with and without.
        preparing: is told what happens before ``Started``, where that takes time.

    Yields:
        Events, see ``cnn_demo.training.events``.

    Raises:
        ConfigError: this machine has no such device or precision, or ``initial_weights`` are of another model.
        OutOfMemory: the batch does not fit; says which would.
        TrainingDiverged: a loss became infinite or NaN, in training or in evaluation.
        ResumeError: the snapshot is of another run.
        DatasetUnavailable: the data set is not here and cannot be fetched.
    """
    data = dataset if dataset is not None else load_dataset(config.dataset)
    try:
        trainer = Trainer(config, data, initial_weights, extra_samples, preparing)
        loop = _Loop(trainer, control or Control(), frozenset(checkpoint_steps))
        loop.watcher = Watcher(trainer, watched) if watched is not None and len(watched) else None
        yield from loop.run(resume, lr_plan)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or isinstance(error, OutOfMemory):
            raise
        # The frames of the failed step hold its activations: no smaller batch would fit beside them.
        traceback.clear_frames(error.__traceback__)
        fits = find_fitting_batch(config, data.spec, config.batch_size // 2)
        raise OutOfMemory(config.batch_size, fits, config.device) from error


class _Loop:
    """The state of one training run between two events."""

    def __init__(self, trainer: Trainer, control: Control, checkpoint_steps: frozenset[int]) -> None:
        self.trainer, self.control, self.checkpoint_steps = trainer, control, checkpoint_steps
        self.config = trainer.config
        self.steps_per_epoch = math.ceil(len(trainer.train) / self.config.batch_size)
        self.total_steps = self.steps_per_epoch * self.config.epochs
        self.step = 0
        self.base_lr = self.config.lr
        self.lr_ahead: dict[int, float] = {}  # changes of an earlier life of this run, by step
        self.meter = Meter(trainer.device, self.steps_per_epoch)
        self.best_val, self.best_epoch = math.inf, 0
        self.watcher: Watcher | None = None

    # -- the run ----------------------------------------------------------------------------------------------

    def run(self, resume: Snapshot | None, lr_plan: Iterable[tuple[int, float]]) -> Iterator[Event]:
        if resume is not None:
            self._restore(resume)
        self.lr_ahead = find_changes_ahead(lr_plan, self.step)
        yield self._started()
        yield from self._look()
        if resume is None and 0 in self.checkpoint_steps:
            yield self._checkpoint()
        while self.step < self.total_steps and not self._is_out_of_patience():
            self.meter.start()
            for index in self._batches_left():
                self.control.refresh()
                if self.control.paused or self.control.stopping:
                    yield from self._report()
                    if (yield from self._pause_or_stop()):
                        yield from self._look()
                        yield self._finished("stopped")
                        return
                yield from self._change_lr()
                self._train_step(index)
                # The first step is reported at once: a curve that starts moving early is worth one synchronization.
                if self.meter.seconds >= REPORT_SECONDS or self.step == 1:
                    yield from self._report()
                if self.step in self.checkpoint_steps and self.step % self.steps_per_epoch:
                    yield from self._report()
                    yield self._checkpoint()
                    self.meter.start()
            yield from self._report()
            yield self._end_epoch()
            yield self._checkpoint()
        yield from self._look()
        yield self._finished("early" if self._is_out_of_patience() else "finished")

    def _batches_left(self) -> Sequence[Tensor]:
        """The rest of the epoch in progress: positions in the training split, ``(B,)`` for each batch."""
        epoch, done = divmod(self.step, self.steps_per_epoch)
        generator = torch.Generator().manual_seed(self._seed(epoch, salt=1))
        order = torch.randperm(len(self.trainer.train), generator=generator).to(self.trainer.index_device)
        return order.split(self.config.batch_size)[done:]

    def _train_step(self, index: Tensor) -> None:
        lr = self._lr()
        loss, correct = self.trainer.step(self.step + 1, index, lr, self._seed(self.step))
        self.step += 1
        self.meter.add(self.step, loss, correct, len(index), lr, self.trainer.grad_norm)

    def _end_epoch(self) -> EpochEnd:
        epoch = self.step // self.steps_per_epoch
        train = self.meter.end_epoch()
        test = self._evaluate(self.trainer.test)
        val = self._evaluate(self.trainer.val) if self.trainer.val is not None else None
        best = val is not None and val.loss < self.best_val
        if val is not None and best:
            self.best_val, self.best_epoch = val.loss, epoch
        rate = train.n / train.seconds if train.seconds else 0.0
        return EpochEnd(epoch, self.step, train, test, val, self._lr(), rate, best)

    def _evaluate(self, split: DeviceDataset) -> EvalResult:
        result = evaluate(self.trainer.eval_model, split, self.trainer.objective)
        if not math.isfinite(result.loss):
            raise TrainingDiverged(self.step, self._lr())
        return result

    def _is_out_of_patience(self) -> bool:
        """Whether the validation loss has not improved for ``patience`` epochs; it follows from the snapshot alone."""
        epochs = self.step // self.steps_per_epoch
        return 0 < self.config.patience <= epochs - self.best_epoch

    # -- between steps ----------------------------------------------------------------------------------------

    def _report(self) -> Iterator[Event]:
        progress = self.meter.flush()
        if progress is not None:
            if self.watcher is not None and self.watcher.due:
                yield from self._look()
            yield progress
        self.meter.start()

    def _look(self) -> Iterator[Event]:
        """What the network makes of the pictures that are watched, unless it was asked at this step already."""
        if self.watcher is not None and self.watcher.step != self.step:
            yield self.watcher.look(self.step, self._epochs_done())

    def _pause_or_stop(self) -> Generator[Event, None, bool]:
        """Keep a checkpoint, then wait while paused. Returns whether to stop."""
        yield self._checkpoint()
        if self.control.stopping:
            return True
        yield Paused(self.step)
        while self.control.paused and not self.control.stopping:
            yield from self._change_lr()
            time.sleep(0.02)
            self.control.refresh()
        if self.control.stopping:
            return True
        yield Resumed(self.step)
        self.meter.start()
        return False

    def _change_lr(self) -> Iterator[Event]:
        requested = self.control.take_lr()
        repeated = self.lr_ahead.pop(self.step, None)  # it was announced in an earlier life of this run
        if requested is None:
            self.base_lr = self.base_lr if repeated is None else repeated
        elif requested != self.base_lr or repeated is not None or self.lr_ahead:
            self.base_lr = requested
            self.lr_ahead.clear()  # whoever sets a rate now means it to stay
            yield LrChanged(self.step, self._epochs_done(), requested)

    # -- numbers that follow from the state --------------------------------------------------------------------

    def _lr(self) -> float:
        return learning_rate(self.config, self.base_lr, self.step, self.total_steps)

    def _seed(self, position: int, salt: int = 0) -> int:
        return (self.config.seed * _SEED_STRIDE + position * 2 + salt) % 2**63

    def _epochs_done(self) -> float:
        return self.step / self.steps_per_epoch

    def _started(self) -> Started:
        trainer = self.trainer
        return Started(
            self.step,
            self.total_steps,
            self.steps_per_epoch,
            trainer.parameters,
            str(trainer.device),
            len(trainer.train),
            trainer.compiled,
        )

    def _finished(self, reason: Literal["finished", "stopped", "early"]) -> Finished:
        return Finished(reason, self.step, self._epochs_done(), self.meter.train_seconds)

    # -- snapshots --------------------------------------------------------------------------------------------

    def _checkpoint(self) -> CheckpointDue:
        return CheckpointDue(self.step, self._epochs_done(), self._snapshot)

    def _snapshot(self) -> Snapshot:
        weights, state = self.trainer.state()
        meta = {
            "config": self.config.public_dict(),  # a checkpoint is handed out
            "step": self.step,
            "steps_per_epoch": self.steps_per_epoch,
            "train_n": len(self.trainer.train),
            "base_lr": self.base_lr,
            "train_seconds": self.meter.train_seconds,
            "epoch_sums": list(self.meter.sums),
            "best_val": self.best_val if self.best_epoch else None,
            "best_epoch": self.best_epoch,
            "best_step": self.best_epoch * self.steps_per_epoch,
        }
        return Snapshot(self.step, self._epochs_done(), weights, state, meta)

    def _restore(self, snapshot: Snapshot) -> None:
        meta = snapshot.meta
        train_n = len(self.trainer.train)
        if meta["steps_per_epoch"] != self.steps_per_epoch or meta["train_n"] != train_n:
            raise ResumeError(
                f"the checkpoint was made with {meta['train_n']} training samples in {meta['steps_per_epoch']} steps"
                f" an epoch; this run has {train_n} in {self.steps_per_epoch}"
            )
        self.trainer.load_state(snapshot.weights, snapshot.state)
        self.step = snapshot.step
        self.base_lr = meta["base_lr"]
        self.meter.train_seconds = meta["train_seconds"]
        loss, correct, n, seconds = meta["epoch_sums"]
        self.meter.sums = (loss, correct, n, seconds)
        self.best_val = math.inf if meta["best_val"] is None else meta["best_val"]
        self.best_epoch = meta["best_epoch"]


def find_changes_ahead(lr_plan: Iterable[tuple[int, float]], step: int) -> dict[int, float]:
    """The learning rates that are to be set again at ``step`` or later, by step.

    Args:
        lr_plan: ``(step, lr)`` in the order in which they were set. Steps fall where the run was resumed from an
            earlier checkpoint; what was set there replaces everything that had been set for later steps.
        step: where the run goes on.
    """
    ahead: dict[int, float] = {}
    for at, lr in lr_plan:
        ahead = {earlier: rate for earlier, rate in ahead.items() if earlier < at} | {at: lr}
    return {at: lr for at, lr in ahead.items() if at >= step}
