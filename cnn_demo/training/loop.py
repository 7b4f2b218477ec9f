"""``fit()``: the training loop. It yields events and knows nothing of who listens."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.settings.config import CHECKPOINT_STEPS, TrainConfig
from cnn_demo.training.control import Control
from cnn_demo.training.device import is_out_of_memory, memory_in_use
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
    Progress,
    Resumed,
    Snapshot,
    Started,
    StepMetrics,
)
from cnn_demo.training.learner import Learner, largest_batch

REPORT_SECONDS = 0.25
_SEED_STRIDE = 1_000_003  # a prime, so that (seed, step) and (seed, epoch) pairs of small numbers do not meet


def fit(
    config: TrainConfig,
    *,
    dataset: Dataset | None = None,
    control: Control | None = None,
    resume: Snapshot | None = None,
    start: dict[str, Tensor] | None = None,
    more: Split | None = None,
    lr_plan: Sequence[tuple[int, float]] = (),
    checkpoint_steps: Sequence[int] = CHECKPOINT_STEPS,
) -> Iterator[Event]:
    """Train a model and tell about it.

    The events come in this order: :class:`Started`; then per epoch :class:`Progress` (about four a second) and
    :class:`EpochEnd`; :class:`CheckpointDue` at the given steps and at each epoch; at last :class:`Finished`. The
    trained weights are in the snapshot of the last ``CheckpointDue``.

    Every random choice is a function of ``(config.seed, step or epoch)``, so a loop resumed from a snapshot continues
    exactly as if it had
    never ended: bit for bit on the CPU with one version of PyTorch and one number of threads. For this the loop seeds
    PyTorch's global generators at every step (dropout has no generator of its own).

    Args:
        config: what to do.
        dataset: the data, when already loaded; else ``load_dataset(config.dataset)``.
        control: stop, pause and learning-rate wishes, looked at before every step.
        resume: a snapshot to go on from.
        start: a ``state_dict`` to begin with instead of fresh weights (fine-tuning).
        more: samples to mix in besides the data set's, repeated to a fixed share of an epoch
            (:data:`cnn_demo.training.learner.COLLECTION_SHARE`). A resumed run needs the same ones again.
        lr_plan: ``(step, lr)`` pairs: base learning rates that were set after ``step`` in an earlier life of this run
            and that come after the snapshot; they are applied at the same steps again.
        checkpoint_steps: optimizer steps at which a checkpoint is due, besides the end of each epoch.

    Yields:
        Events, see ``cnn_demo.training.events``.

    Raises:
        ConfigError: the device or precision is not to be had here, or ``start`` is of another model.
        OutOfMemory: the batch does not fit; says which would.
        TrainingDiverged: the loss became infinite or NaN.
        ResumeError: the snapshot is of another run.
        DatasetUnavailable: the data set is not here and cannot be fetched.
    """
    data = dataset if dataset is not None else load_dataset(config.dataset)
    try:
        learner = Learner(config, data, start, more)
        yield from _Loop(config, learner, control or Control(), dict(lr_plan), frozenset(checkpoint_steps)).run(resume)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or isinstance(error, OutOfMemory):
            raise
        fits = largest_batch(config, data.spec, config.batch_size // 2)
        raise OutOfMemory(config.batch_size, fits, config.device) from error


class _Loop:
    """The state of one training run between two events."""

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        control: Control,
        lr_plan: dict[int, float],
        checkpoint_steps: frozenset[int],
    ) -> None:
        self.config, self.control, self.lr_plan, self.checkpoint_steps = config, control, lr_plan, checkpoint_steps
        self.learner = learner
        self.train_n = len(self.learner.train)
        if self.train_n == 0:
            raise ValueError(f"data set {config.dataset!r} has no training samples")
        self.steps_per_epoch = math.ceil(self.train_n / config.batch_size)
        self.total_steps = self.steps_per_epoch * config.epochs
        self.step = 0
        self.base_lr = config.lr
        self.train_seconds = 0.0
        self.best_val = math.inf
        self.best_epoch = 0
        # Sums over the samples of the epoch in progress: cross-entropy, correct answers, samples.
        self.loss_sum, self.hit_sum, self.sample_sum, self.epoch_seconds = 0.0, 0, 0, 0.0
        self.pending: list[tuple[int, Tensor, Tensor, int, float]] = []  # steps whose numbers are still on the device

    # -- the run ----------------------------------------------------------------------------------------------

    def run(self, resume: Snapshot | None) -> Iterator[Event]:
        if resume is not None:
            self._restore(resume)
        yield Started(
            self.step,
            self.total_steps,
            self.steps_per_epoch,
            self.learner.parameters,
            str(self.learner.device),
            self.train_n,
            self.learner.compiled,
        )
        if resume is None and 0 in self.checkpoint_steps:
            yield self._checkpoint()
        reason: Literal["stopped", "early"] | None = None
        while self.step < self.total_steps and reason is None:
            reason = yield from self._epoch()
        yield Finished(reason or "finished", self.step, self._epochs_done(), self.train_seconds)

    def _epoch(self) -> Generator[Event, None, Literal["stopped", "early"] | None]:
        """The rest of the epoch in progress. Returns why the run should end, or None."""
        epoch = self.step // self.steps_per_epoch
        generator = torch.Generator().manual_seed(self._seed(epoch, salt=1))
        order = torch.randperm(self.train_n, generator=generator).to(self.learner.index_device)
        clock = flushed = time.perf_counter()
        for batch in range(self.step % self.steps_per_epoch, self.steps_per_epoch):
            self.control.refresh()
            if self.control.paused or self.control.stopping:
                yield from self._flush(time.perf_counter() - clock)
                stopped = yield from self._interrupt()
                if stopped:
                    return "stopped"
                clock = flushed = time.perf_counter()
            yield from self._apply_lr()
            self._step(order[batch * self.config.batch_size : (batch + 1) * self.config.batch_size])
            now = time.perf_counter()
            # The first step is reported at once: a curve that starts moving early is worth one synchronization.
            if now - flushed >= REPORT_SECONDS or self.step == 1:
                yield from self._flush(now - clock)
                clock = flushed = time.perf_counter()
            if self.step in self.checkpoint_steps and batch + 1 < self.steps_per_epoch:
                yield from self._flush(time.perf_counter() - clock)
                yield self._checkpoint()
                clock = time.perf_counter()
        yield from self._flush(time.perf_counter() - clock)
        end = self._end_of_epoch(epoch + 1)
        yield end
        yield self._checkpoint()
        if self.config.patience and epoch + 1 - self.best_epoch >= self.config.patience:
            return "early"
        return None

    def _step(self, index: Tensor) -> None:
        lr = self._lr()
        loss, hits = self.learner.step(self.step + 1, index, lr, self._seed(self.step))
        self.step += 1
        self.pending.append((self.step, loss, hits, len(index), lr))

    # -- between steps ----------------------------------------------------------------------------------------

    def _interrupt(self) -> Generator[Event, None, bool]:
        """Keep a checkpoint, then wait while paused. Returns whether to stop."""
        yield self._checkpoint()
        if self.control.stopping:
            return True
        yield Paused(self.step)
        while self.control.paused and not self.control.stopping:
            yield from self._apply_lr()
            time.sleep(0.02)
            self.control.refresh()
        if self.control.stopping:
            return True
        yield Resumed(self.step)
        return False

    def _apply_lr(self) -> Iterator[Event]:
        asked = self.control.take_lr()
        planned = self.lr_plan.pop(self.step, None)
        if asked is None and planned is not None:
            self.base_lr = planned  # a repetition: it was announced in the run's first life
        elif asked is not None and asked != self.base_lr:
            self.base_lr = asked
            yield LrChanged(self.step, self._epochs_done(), asked)

    def _flush(self, seconds: float) -> Iterator[Event]:
        """Bring the numbers of the pending steps to the host: the only synchronization with the device."""
        if not self.pending:
            return
        began = time.perf_counter()
        losses = torch.stack([loss for _, loss, _, _, _ in self.pending]).float().tolist()
        hits = torch.stack([hit for _, _, hit, _, _ in self.pending]).tolist()
        seconds += time.perf_counter() - began  # waiting for the device is training time
        metrics = []
        for (step, _, _, n, lr), loss, hit in zip(self.pending, losses, hits, strict=True):
            if not math.isfinite(loss):
                raise TrainingDiverged(step, lr)
            self.loss_sum += loss * n
            self.hit_sum += int(hit)
            self.sample_sum += n
            metrics.append(StepMetrics(step, step / self.steps_per_epoch, loss, hit / n, n, lr))
        self.pending.clear()
        self.train_seconds += seconds
        self.epoch_seconds += seconds
        rate = sum(m.n for m in metrics) / seconds if seconds > 0 else 0.0
        yield Progress(tuple(metrics), rate, self.train_seconds, memory_in_use(self.learner.device))

    def _end_of_epoch(self, epoch: int) -> EpochEnd:
        n = self.sample_sum
        train = EvalResult(self.loss_sum / n, self.hit_sum / n, n, self.epoch_seconds)
        test = evaluate(self.learner.eval_model, self.learner.test)
        val = evaluate(self.learner.eval_model, self.learner.val) if self.learner.val is not None else None
        best = val is not None and val.loss < self.best_val
        if val is not None and best:
            self.best_val, self.best_epoch = val.loss, epoch
        rate = n / self.epoch_seconds if self.epoch_seconds else 0.0
        self.loss_sum, self.hit_sum, self.sample_sum, self.epoch_seconds = 0.0, 0, 0, 0.0
        return EpochEnd(epoch, self.step, train, test, val, self._lr(), rate, best)

    # -- numbers that follow from the state --------------------------------------------------------------------

    def _lr(self) -> float:
        if self.config.schedule == "cosine":
            return self.base_lr * 0.5 * (1 + math.cos(math.pi * self.step / self.total_steps))
        return self.base_lr

    def _seed(self, position: int, salt: int = 0) -> int:
        return (self.config.seed * _SEED_STRIDE + position * 2 + salt) % 2**63

    def _epochs_done(self) -> float:
        return self.step / self.steps_per_epoch

    # -- snapshots --------------------------------------------------------------------------------------------

    def _checkpoint(self) -> CheckpointDue:
        return CheckpointDue(self.step, self._epochs_done(), self._snapshot)

    def _snapshot(self) -> Snapshot:
        weights, optimizer = self.learner.state()
        meta = {
            "config": self.config.to_dict(),
            "step": self.step,
            "steps_per_epoch": self.steps_per_epoch,
            "train_n": self.train_n,
            "base_lr": self.base_lr,
            "train_seconds": self.train_seconds,
            "best_val": self.best_val if math.isfinite(self.best_val) else None,
            "best_epoch": self.best_epoch,
            "epoch_sums": [self.loss_sum, self.hit_sum, self.sample_sum, self.epoch_seconds],
            "scaler": self.learner.scaler_state(),
            "rng": {"seed": self.config.seed, "rule": "seed * 1000003 + 2 * position + salt", "position": self.step},
        }
        return Snapshot(self.step, self._epochs_done(), weights, optimizer, meta)

    def _restore(self, snapshot: Snapshot) -> None:
        meta = snapshot.meta
        if meta["steps_per_epoch"] != self.steps_per_epoch or meta["train_n"] != self.train_n:
            raise ResumeError(
                f"the checkpoint was made with {meta['train_n']} training samples in {meta['steps_per_epoch']} steps"
                f" an epoch; this run has {self.train_n} in {self.steps_per_epoch}"
            )
        self.learner.load_state(snapshot.weights, snapshot.optimizer, meta["scaler"])
        self.step = snapshot.step
        self.base_lr = meta["base_lr"]
        self.train_seconds = meta["train_seconds"]
        self.best_val = math.inf if meta["best_val"] is None else meta["best_val"]
        self.best_epoch = meta["best_epoch"]
        self.loss_sum, self.hit_sum, self.sample_sum, self.epoch_seconds = meta["epoch_sums"]
