"""How the outside talks to a running loop: one object, looked at between batches."""

from __future__ import annotations

import threading


class Control:
    """Stop, pause and a new learning rate, from any thread.

    The loop calls :meth:`refresh` between batches; a subclass may fetch requests from elsewhere there (it must be
    quick: it runs once a batch).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = False
        self._paused = False
        self._lr: float | None = None

    def stop(self) -> None:
        """End after the batch in progress."""
        self._stop = True

    def pause(self) -> None:
        """Wait after the batch in progress."""
        self._paused = True

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        self._paused = False

    def set_lr(self, lr: float) -> None:
        """Use this base learning rate from the next step on.

        Raises:
            ValueError: not a number above 0 and at most 10.
        """
        if not 0 < lr <= 10:
            raise ValueError(f"lr = {lr!r}: expected a number above 0 and at most 10")
        with self._lock:
            self._lr = lr

    def refresh(self) -> None:
        """Called by the loop between batches."""

    @property
    def stopping(self) -> bool:
        return self._stop

    @property
    def paused(self) -> bool:
        return self._paused

    def take_lr(self) -> float | None:
        """The learning rate asked for since the last call, once."""
        with self._lock:
            lr, self._lr = self._lr, None
        return lr
