"""Which checkpoint a reference to a run means. Imports no torch, so that a page can ask before torch is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cnn_demo.settings.reference import ModelRef


class Checkpoint(Protocol):
    """Saved weights of a run."""

    @property
    def step(self) -> int:
        """Optimizer steps that lie behind the weights."""

    @property
    def epoch(self) -> float:
        """Passes over the training images."""

    @property
    def path(self) -> Path:
        """The folder of the checkpoint."""

    @property
    def test_accuracy(self) -> float | None:
        """Share of right answers on the test split, 0 to 1; None where it was not measured."""

    @property
    def test_n(self) -> int | None:
        """How many test images that was."""


class CheckpointSource(Protocol):
    """What knows the runs. ``cnn_demo.runs`` implements it; this room imports nothing from there.

    Each method raises ``RunNotFound`` for a run that does not exist, and gives None for a checkpoint that does not.
    """

    home: Path

    def is_active(self, run_id: str) -> bool:
        """Whether a run waits for a device or trains."""

    def newest_checkpoint(self, run_id: str) -> Checkpoint | None:
        """The checkpoint with the most steps."""

    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        """The checkpoint with the least validation loss, where one was recorded."""

    def checkpoint_at(self, run_id: str, step: int) -> Checkpoint | None:
        """The checkpoint of a step."""


def find_checkpoint(ref: ModelRef, source: CheckpointSource) -> Checkpoint | None:
    """The checkpoint that a reference to a run means; None where the run has none like that.

    A run without a step: while it trains the newest; once it has ended the best by validation, or the newest where
    no best was recorded.

    Raises:
        RunNotFound: no such run.
    """
    if ref.step == "best":
        return source.best_checkpoint(ref.name)
    if ref.step is not None:
        return source.checkpoint_at(ref.name, ref.step)
    best = None if source.is_active(ref.name) else source.best_checkpoint(ref.name)
    return best or source.newest_checkpoint(ref.name)
