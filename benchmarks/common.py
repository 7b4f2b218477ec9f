"""What the benchmarks share: a description of the machine, quantiles, a server of one's own."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]


def machine() -> str:
    """One line: processor, cores, versions, and how busy the machine was when the benchmark began."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        name = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), name)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{name}, {psutil.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')}, "
        f"streamlit {version('streamlit')}{load}"
    )


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """``median [min, max] (n = …)``."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}] (n = {len(values)})"


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least a share ``q`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(q * 1000) * len(ordered) // 1000) - 1))]


def last_json(command: Sequence[str], env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a program and read the JSON on the last line that it prints.

    Raises:
        CalledProcessError: it failed; what it said is on the standard error.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=env)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def verdict(name: str, value: float, target: float, *, at_least: bool) -> str:
    """A line that says whether a target was reached."""
    reached = value >= target if at_least else value <= target
    sign = "≥" if at_least else "≤"
    return f"{'reached' if reached else 'MISSED '}  {name}: {value:.3g} (asked: {sign} {target:g})"


@contextlib.contextmanager
def server(
    home: Path, *, wait: bool = True, app: Path = ROOT / "app.py"
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The app (or another one) on a free port with a run store of its own; gives the process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    env = {**os.environ, "CNN_DEMO_HOME": str(home), "CNN_DEMO_STANDBY": "120"}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        if wait:
            wait_until_healthy(address)
        yield process, address
    finally:
        process.terminate()
        process.wait(timeout=20)
        for worker in psutil.process_iter(["cmdline"]):
            if str(home) in (worker.info["cmdline"] or []):
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.send_signal(signal.SIGKILL)


def wait_until_healthy(address: str, seconds: float = 60) -> None:
    """Return when the server answers.

    Raises:
        TimeoutError: it does not.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"{address} did not answer within {seconds:g} s")
