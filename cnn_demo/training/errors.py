"""What can go wrong in a loop, as exceptions that carry what a caller needs to answer."""

from __future__ import annotations


class TrainingDiverged(RuntimeError):
    """A loss is no longer a number.

    Attributes:
        step: the first step whose loss was not finite, or the step after which the evaluation was not.
        lr: the learning rate at that step.
    """

    def __init__(self, step: int, lr: float) -> None:
        super().__init__(
            f"the loss stopped being a number at step {step} (lr = {lr:g}); try a learning rate ten times smaller"
        )
        self.step, self.lr = step, lr


class OutOfMemory(RuntimeError):
    """The batch does not fit into the device's memory.

    Attributes:
        batch_size: what was asked for.
        fits: the largest power-of-two fraction of it that was tried and fits, or None.
    """

    def __init__(self, batch_size: int, fits: int | None, device: str) -> None:
        advice = f"a batch of {fits} fits" if fits else "not even a batch of 1 fits: choose a smaller model or the CPU"
        super().__init__(f"out of memory on {device} with batch_size = {batch_size}; {advice}")
        self.batch_size, self.fits, self.device = batch_size, fits, device


class ResumeError(RuntimeError):
    """A snapshot does not belong to this config, data set or model."""
