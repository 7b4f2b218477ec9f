"""Short trainings that one watches: one at a time in a thread, a few seconds each, shared by all who ask for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from cnn_demo.lessons.panels import Panel

log = logging.getLogger(__name__)

Rows = Sequence[Sequence[Panel]]


class TooManyWait(RuntimeError):
    """So many trainings wait already that another would wait for minutes."""


@dataclass(eq=False)
class LiveJob:
    """One training.

    Attributes:
        rows: the panels as they are so far; None before the first.
        error: why it failed; "" if it did not.
        ended: whether it has ended, by itself, by a stop, or by an error.
        stopped: whether nobody wanted the rest of it.
        began: time.monotonic() at its first step; None while it waits.
    """

    start: Callable[[], Iterator[Rows]]
    seconds: float
    rows: Rows | None = None
    error: str = ""
    ended: bool = False
    stopped: bool = False
    began: float | None = None
    watchers: set[str] = field(default_factory=set)

    @property
    def share(self) -> float:
        """How much of its time has passed, 0 to 1."""
        return 0.0 if self.began is None else min(1.0, (time.monotonic() - self.began) / self.seconds)


class LiveJobs:
    """All of this process. One thread works; it ends when nothing waits.

    Args:
        most_waiting: more are refused.
        kept: so many that have ended are remembered.
    """

    def __init__(self, most_waiting: int = 8, kept: int = 24) -> None:
        self._jobs: OrderedDict[Hashable, LiveJob] = OrderedDict()
        self._waiting: list[LiveJob] = []
        self._lock = threading.Lock()
        self._busy = False
        self._most_waiting, self._kept = most_waiting, kept

    def request(self, key: Hashable, visitor: str, start: Callable[[], Iterator[Rows]], seconds: float) -> LiveJob:
        """The training of that key: the one that runs or has run, or a new one.

        Args:
            key: what decides what comes out.
            visitor: who wants to see it.
            start: makes the iterator of a :class:`~cnn_demo.lessons.lesson.Live`.
            seconds: when it is ended.

        Raises:
            TooManyWait: the queue is full.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.error or job.stopped:
                if len(self._waiting) >= self._most_waiting:
                    raise TooManyWait
                job = self._jobs[key] = LiveJob(start, seconds)
                self._waiting.append(job)
                if not self._busy:
                    self._busy = True
                    threading.Thread(target=self._work, name="lesson-live", daemon=True).start()
            job.watchers.add(visitor)
            self._jobs.move_to_end(key)
            self._forget()
            return job

    def stop(self, job: LiveJob, visitor: str) -> None:
        """This visitor has seen enough; the training ends when nobody else watches it."""
        with self._lock:
            job.watchers.discard(visitor)
            job.stopped = not job.watchers and not job.ended

    def count_before(self, job: LiveJob) -> int:
        """Trainings that come before this one, the one that runs included."""
        with self._lock:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + (1 if self._busy else 0)

    def _forget(self) -> None:
        for key in [key for key, job in self._jobs.items() if job.ended][: max(0, len(self._jobs) - self._kept)]:
            del self._jobs[key]

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                job = self._waiting.pop(0)
            if not job.stopped:
                _run(job)
            job.ended = True


def _run(job: LiveJob) -> None:
    job.began = time.monotonic()
    try:
        for rows in job.start():
            job.rows = rows
            if job.stopped or time.monotonic() - job.began > job.seconds:
                return
    except Exception as error:  # it is told on the page; the thread serves others
        log.exception("a live training failed")
        job.error = f"{type(error).__name__}: {error}"
