"""What a training loop says while it runs: small frozen events, the same for every listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor


# Is told what happens before the first step: ``samples`` are made or the network is prepared by ``compile``, and which
# part of it is done, 0 to 1. It may raise, to give up.
Preparing = Callable[[str, float], None]


def say_nothing(_what: str, _part: float) -> None:
    """A :data:`Preparing` for those who do not listen."""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """Loss and accuracy of a model on a whole split, averaged over its samples.

    Attributes:
        loss: mean loss as the model's objective has it; for classification the cross-entropy in nats.
        accuracy: fraction of correct answers, 0 to 1.
        n: number of samples.
        seconds: wall-clock time of the evaluation.
    """

    loss: float
    accuracy: float
    n: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Started:
    """The loop is ready to take its first step (or, after a resume, its next one)."""

    step: int
    total_steps: int
    steps_per_epoch: int
    parameters: int
    device: str
    train_n: int
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """One optimizer step. ``step`` counts from 1; ``epoch`` is the fractional number of epochs done after it.

    ``loss`` and ``accuracy`` are of this step's batch, before its update, in train mode (dropout is on). ``grad_norm``
    is the Euclidean length of the gradient of all parameters, before clipping; with fp16 it can be infinite, and such
    a step changes nothing.
    """

    step: int
    epoch: float
    loss: float
    accuracy: float
    n: int
    lr: float
    grad_norm: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A group of steps whose numbers have just reached the host, oldest first."""

    steps: tuple[StepMetrics, ...]
    samples_per_second: float
    train_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What the network makes of the pictures that are watched, after ``step`` optimizer steps.

    Attributes:
        step: 0 for the weights before training.
        epoch: fractional epochs done.
        probabilities: ``(N, classes)`` float32 on the host, in the order of the pictures.
        kernels: ``(K, C, h, w)`` float32 on the host: the first kernels of the first convolution; K = 0 where no
            convolution reads the image.
    """

    step: int
    epoch: float
    probabilities: Tensor
    kernels: Tensor


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """A pass over the training split is complete.

    ``train`` averages over the samples of the pass while the weights were changing and dropout was on, so it can lie
    above ``test``, which is measured afterwards in eval mode. ``best`` says whether the *validation* loss is the
    lowest so far; without a validation split nothing is chosen and it is False.
    """

    epoch: int
    step: int
    train: EvalResult
    test: EvalResult
    val: EvalResult | None
    lr: float
    samples_per_second: float
    best: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is needed to go on from here, as plain tensors and plain data.

    Attributes:
        step: optimizer steps done.
        epoch: fractional epochs done.
        weights: the ``state_dict`` of the model that is evaluated; with ``config.ema`` that of the running mean.
        state: the ``state_dict`` of every other part by its name (``optimizer``, ``scaler``, with ``config.ema`` the
            ``raw_weights`` that the optimizer changes, …). Empty where only the weights are known: then moments and
            the like begin anew.
        meta: JSON-ready: config, position, sums of the epoch in progress, learning rate; ``best_val``, ``best_epoch``
            and ``best_step`` are of the lowest validation loss so far (None, 0 and 0 where there is none).
    """

    step: int
    epoch: float
    weights: dict[str, Tensor]
    state: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckpointDue:
    """A moment worth keeping. ``capture()`` gives the :class:`Snapshot`; call it before asking for the next event."""

    step: int
    epoch: float
    capture: Callable[[], Snapshot]


@dataclass(frozen=True, slots=True)
class Paused:
    """The loop waits; it is sent once, when the pause begins."""

    step: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The loop goes on after a pause."""

    step: int


@dataclass(frozen=True, slots=True)
class LrChanged:
    """The base learning rate was changed from outside; steps after ``step`` use it."""

    step: int
    epoch: float
    lr: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: all epochs done, asked to stop, or no better validation loss for ``patience`` epochs."""

    reason: Literal["finished", "stopped", "early"]
    step: int
    epoch: float
    train_seconds: float


Event = Started | Progress | Watched | EpochEnd | CheckpointDue | Paused | Resumed | LrChanged | Finished
