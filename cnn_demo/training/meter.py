"""What an epoch has shown so far: losses, correct answers, time."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from cnn_demo.training.device import memory_in_use
from cnn_demo.training.errors import TrainingDiverged
from cnn_demo.training.events import EvalResult, Progress, StepMetrics


class Meter:
    """Collects the numbers of steps on the device, and brings them to the host a few times a second.

    Attributes:
        train_seconds: time spent in training steps since the run began.
        sums: over the samples of the epoch in progress: loss, correct answers, samples; and its seconds.
    """

    def __init__(self, device: torch.device, steps_per_epoch: int) -> None:
        self.device, self.steps_per_epoch = device, steps_per_epoch
        self.train_seconds = 0.0
        self.sums: tuple[float, int, int, float] = (0.0, 0, 0, 0.0)
        self._pending: list[tuple[int, Tensor, Tensor, int, float, Tensor]] = []
        self.start()

    def start(self) -> None:
        """Start the clock: the time since the last flush is not training time."""
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since the clock was started."""
        return time.perf_counter() - self._started

    def add(self, step: int, loss: Tensor, correct: Tensor, n: int, lr: float, grad_norm: Tensor) -> None:
        """Note a step; ``loss``, ``correct`` and ``grad_norm`` are scalars on the device and stay there for now."""
        self._pending.append((step, loss, correct, n, lr, grad_norm))

    def flush(self) -> Progress | None:
        """Bring the noted steps to the host: the only synchronization with the device. None where there are none.

        Raises:
            TrainingDiverged: a loss is not finite.
        """
        if not self._pending:
            return None
        losses = torch.stack([loss for _, loss, _, _, _, _ in self._pending]).float().tolist()
        counts = torch.stack([correct for _, _, correct, _, _, _ in self._pending]).tolist()
        norms = torch.stack([norm for _, _, _, _, _, norm in self._pending]).float().tolist()
        seconds = self.seconds  # waiting for the device is training time
        steps = []
        loss_sum, correct_sum, samples, epoch_seconds = self.sums
        for (step, _, _, n, lr, _), loss, correct, norm in zip(self._pending, losses, counts, norms, strict=True):
            if not math.isfinite(loss):
                raise TrainingDiverged(step, lr)
            loss_sum, correct_sum, samples = loss_sum + loss * n, correct_sum + int(correct), samples + n
            steps.append(StepMetrics(step, step / self.steps_per_epoch, loss, correct / n, n, lr, norm))
        self.sums = (loss_sum, correct_sum, samples, epoch_seconds + seconds)
        self.train_seconds += seconds
        self._pending.clear()
        rate = sum(step.n for step in steps) / seconds if seconds > 0 else 0.0
        return Progress(tuple(steps), rate, self.train_seconds, memory_in_use(self.device))

    def end_epoch(self) -> EvalResult:
        """Means over the samples of the epoch; the next one begins."""
        loss, correct, n, seconds = self.sums
        self.sums = (0.0, 0, 0, 0.0)
        return EvalResult(loss / n, correct / n, n, seconds)
