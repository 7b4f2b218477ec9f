"""Which checkpoint a run stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cnn_demo.prediction.source import find_checkpoint
from cnn_demo.settings.reference import ModelRef


@dataclass
class Made:
    """A checkpoint that lies nowhere."""

    step: int
    epoch: float = 0.0
    path: Path = Path("nowhere")
    test_accuracy: float | None = None
    test_n: int | None = None


@dataclass
class MadeSource:
    """Runs that need no store."""

    active: bool
    steps: tuple[int, ...] = ()
    best: int | None = None
    home: Path = field(default_factory=Path)

    def is_active(self, run_id: str) -> bool:
        return self.active

    def newest_checkpoint(self, run_id: str) -> Made | None:
        return Made(self.steps[-1]) if self.steps else None

    def best_checkpoint(self, run_id: str) -> Made | None:
        return None if self.best is None else Made(self.best)

    def checkpoint_at(self, run_id: str, step: int) -> Made | None:
        return Made(step) if step in self.steps else None


@pytest.mark.parametrize(
    ("text", "source", "step"),
    [
        ("a", MadeSource(active=True, steps=(1, 5, 9), best=5), 9),  # followed while it trains
        ("a", MadeSource(active=False, steps=(1, 5, 9), best=5), 5),
        ("a", MadeSource(active=False, steps=(1, 5, 9)), 9),
        ("a", MadeSource(active=False), None),
        ("a@best", MadeSource(active=True, steps=(1, 5, 9), best=5), 5),
        ("a@best", MadeSource(active=False, steps=(1, 5, 9)), None),
        ("a@1", MadeSource(active=False, steps=(1, 5, 9), best=5), 1),
        ("a@2", MadeSource(active=False, steps=(1, 5, 9), best=5), None),
    ],
)
def test_what_a_reference_means(text: str, source: MadeSource, step: int | None) -> None:
    found = find_checkpoint(ModelRef.parse(text), source)
    assert (found.step if found else None) == step
