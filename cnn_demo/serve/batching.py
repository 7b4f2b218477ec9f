"""Micro-batching: images of several requests go through the network together.

One thread runs the engine. While it computes, images gather, and the next batch takes them all. A batch also waits a
moment for images that are being prepared just then, and never where none is: a lone request is not held up.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cnn_demo.serve.engine import Engine
from cnn_demo.serve.limits import MAX_BATCH

Logits = NDArray[np.float32]


class BatcherClosed(RuntimeError):
    """The batcher has ended and computes nothing more."""


@dataclass(frozen=True)
class _Entry:
    engine: Engine
    inputs: NDArray[np.float32]
    future: Future[Logits] = field(default_factory=Future)


class Batcher:
    """Computes logits in batches, in the order in which they were submitted.

    Args:
        window: seconds that a batch waits for images that are being prepared.
        observe: told the number of rows of each batch.
    """

    def __init__(self, window: float, observe: Callable[[int], None] = lambda rows: None) -> None:
        self._window, self._observe = window, observe
        self._changed = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._preparing = 0
        self._closed = False
        self._thread = threading.Thread(target=self._compute_batches, name="batches", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """Tell that an image is being prepared and will be submitted before this ends."""
        with self._changed:
            self._preparing += 1
        try:
            yield
        finally:
            with self._changed:
                self._preparing -= 1
                self._changed.notify_all()

    def submit(self, engine: Engine, inputs: NDArray[np.float32]) -> Future[Logits]:
        """Ask for logits. A future that is cancelled before its batch begins costs nothing.

        Args:
            engine: computes them; a batch holds the images of one engine.
            inputs: ``(rows, C, H, W)``, at least one row.

        Returns:
            The logits ``(rows, classes)``, or the engine's error.

        Raises:
            BatcherClosed: it was closed.
        """
        entry = _Entry(engine, inputs)
        with self._changed:
            if self._closed:
                raise BatcherClosed("the service has stopped")
            self._waiting.append(entry)
            self._changed.notify_all()
        return entry.future

    def close(self) -> None:
        """Compute what was submitted, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _compute_batches(self) -> None:
        while batch := self._take_batch():
            running = [entry for entry in batch if entry.future.set_running_or_notify_cancel()]
            if running:
                self._compute(running)

    def _take_batch(self) -> list[_Entry]:
        """The next entries of one engine, :data:`MAX_BATCH` rows at most or a single entry; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            end = time.monotonic() + self._window
            while self._preparing and not self._closed and self._count_rows() < MAX_BATCH:
                if not self._changed.wait(end - time.monotonic()):
                    break
            batch: list[_Entry] = []
            rows = 0
            while self._waiting and (not batch or self._fits(batch[0], rows)):
                batch.append(self._waiting.popleft())
                rows += len(batch[-1].inputs)
            return batch

    def _fits(self, first: _Entry, rows: int) -> bool:
        following = self._waiting[0]
        alike = following.engine is first.engine and following.inputs.shape[1:] == first.inputs.shape[1:]
        return alike and rows + len(following.inputs) <= MAX_BATCH

    def _count_rows(self) -> int:
        return sum(len(entry.inputs) for entry in self._waiting)

    def _compute(self, batch: list[_Entry]) -> None:
        """One pass for all. Where it fails each goes alone, so that one bad entry costs no other its answer."""
        self._observe(sum(len(entry.inputs) for entry in batch))
        try:
            logits = batch[0].engine.compute_logits(np.concatenate([entry.inputs for entry in batch]))
            parts = np.split(logits, np.cumsum([len(entry.inputs) for entry in batch])[:-1])
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for entry in batch:
                self._compute([entry])
            return
        for entry, part in zip(batch, parts, strict=True):
            entry.future.set_result(part)
