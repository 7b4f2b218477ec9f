"""Events of a made-up training run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock
from sqlalchemy import event

from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.training.events import EpochEnd, EvalResult, Progress, StepMetrics


def steps(first: int, last: int, per_epoch: int = 4) -> Progress:
    made = tuple(StepMetrics(i, i / per_epoch, 1 / i, i / 100, 10, 1e-3) for i in range(first, last + 1))
    return Progress(made, 1000.0, last * 0.1, 2**20)


def epoch_end(epoch: int, step: int, accuracy: float = 0.9) -> EpochEnd:
    return EpochEnd(epoch, step, EvalResult(0.5, 0.8, 40, 0.4), EvalResult(0.4, accuracy, 20), None, 1e-3, 1000.0)


@contextmanager
def statements_of(store: Store) -> Iterator[list[str]]:
    """The SQL statements that the body causes."""
    said: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(store.db.engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(store.db.engine, "before_cursor_execute", listen)


def claim_next(store: Store, devices: list[str]) -> tuple[Run, FileLock]:
    """The next run of the queue with its lock; there must be one."""
    found = store.claim(devices)
    assert found is not None
    return found
