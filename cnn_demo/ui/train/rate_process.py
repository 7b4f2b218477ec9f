"""The range test of the learning rate in a process of its own, so that the server imports no PyTorch for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from typing import Any

from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.flags import write_flags

_AT_MOST_SECONDS = 600
_PROGRESS = re.compile(r"(\d+)/(\d+)")


class RateTest:
    """One ``python -m cnn_demo lr-find``.

    Attributes:
        config: the settings that it is for.
        progress: part of it that is done, 0 to 1.
        answer: the JSON object that it gave; empty before, and where it gave none.
        problem: the last thing that it said on standard error, where it gave no object.
        stopped: somebody stopped it.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.progress, self.problem, self.stopped = 0.0, "", False
        self.answer: dict[str, Any] = {}
        command = [sys.executable, "-m", "cnn_demo", "lr-find", "--json", *write_flags(config)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._ended = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        self._limit = threading.Timer(_AT_MOST_SECONDS, self.stop)
        self._limit.daemon = True
        self._limit.start()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return not self._ended.is_set()

    def stop(self) -> None:
        """End it; what it found is lost."""
        if self.running:
            self.stopped = True
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        return self._ended.wait(seconds)

    def _listen(self) -> None:
        process = self._process
        assert process.stdout is not None, "asked for above"
        assert process.stderr is not None, "asked for above"
        last = ""
        for line in process.stderr:  # the object on standard output is far smaller than a pipe: nothing waits for it
            if done := _PROGRESS.fullmatch(line.strip()):
                self.progress = int(done[1]) / int(done[2])
            elif line.strip():
                last = line.strip()
        lines = process.stdout.read().strip().splitlines()
        process.wait()
        try:
            self.answer = json.loads(lines[-1])
        except (LookupError, ValueError):
            self.problem = last.removeprefix("error: ") or f"exit status {process.returncode}"
        self._limit.cancel()
        self._ended.set()


class Slot:
    """Room for one test at a time on this server: two would take each other's processor, and show nothing sooner."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._test: RateTest | None = None

    @property
    def busy(self) -> bool:
        """Whether somebody's test is running."""
        return self._test is not None and self._test.running

    def start(self, config: TrainConfig) -> RateTest | None:
        """Start a test; None while another one is running."""
        with self._lock:
            if self.busy:
                return None
            self._test = RateTest(config)
            return self._test
