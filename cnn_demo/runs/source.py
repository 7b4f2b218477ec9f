"""The run store as ``cnn_demo.prediction`` wants it: the newest checkpoint of a run, the best, the one at a step."""

from __future__ import annotations

from cnn_demo.runs.records import Checkpoint
from cnn_demo.runs.store import Store


class RunCheckpoints:
    """Implements :class:`cnn_demo.prediction.source.CheckpointSource`."""

    def __init__(self, store: Store) -> None:
        self.store, self.home = store, store.home

    def is_active(self, run_id: str) -> bool:
        return self.store.get(run_id).state.active

    def newest_checkpoint(self, run_id: str) -> Checkpoint | None:
        self.store.get(run_id)
        found = self.store.checkpoints(run_id)
        return found[-1] if found else None

    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        self.store.get(run_id)
        steps = [row.step for row in self.store.epochs(run_id) if row.best]
        return self.checkpoint_at(run_id, steps[-1]) if steps else None

    def checkpoint_at(self, run_id: str, step: int) -> Checkpoint | None:
        self.store.get(run_id)
        return next((c for c in self.store.checkpoints(run_id) if c.step == step), None)
