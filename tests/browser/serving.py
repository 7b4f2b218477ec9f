"""The app's server as a test starts and stops it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import FloatRect, Locator

from cnn_demo.runs.store import Store

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], object], seconds: float = 90) -> None:
    """Wait for what no locator can wait for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


class Server:
    """``streamlit run app.py`` on a free port with a run store of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.parent / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {**os.environ, "CNN_DEMO_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def store(self) -> Store:
        return Store(self.home)

    def end_workers(self) -> None:
        """Workers outlive their server by design, so a test ends those of its own store by name of the folder."""
        for process in psutil.process_iter(["cmdline"]):
            if str(self.home) in (process.info["cmdline"] or []):
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settled_box(target: Locator) -> FloatRect:
    """Where an element stands, once it stands still: what unfolds or is drawn anew above it moves it for a while."""
    last = None
    while (now := target.bounding_box()) is None or now != last:
        last = now
        target.page.wait_for_timeout(150)
    return now
