"""What this machine offers, found out without importing torch in the server.

``python -m cnn_demo devices --json`` runs once, in a process of its own; until it has answered the page says so.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import streamlit as st

from cnn_demo.settings.precision import Arithmetic

SHOWN_PACKAGES = ("torch", "torchvision", "streamlit")

HEAD_START_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Device:
    """One device that can train: its name for ``TrainConfig.device``, a title for people, and its memory in bytes.

    ``arithmetic`` says how it computes in each precision, see ``cnn_demo.settings.precision``.
    """

    name: str
    title: str
    memory_bytes: int
    free_bytes: int
    arithmetic: Mapping[str, Arithmetic] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``cpu``, ``cuda`` or ``mps``."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Machine:
    """The answer of ``python -m cnn_demo devices``; ``problem`` says why there is none."""

    devices: tuple[Device, ...] = ()
    torch: str = ""
    cuda: str = ""
    problem: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(device.name for device in self.devices)


class Probe:
    """Asks once, in the background. ``answer`` is None until it is there.

    It begins a moment late: importing torch in the other process would take the cores from the first page's painting.
    """

    def __init__(self) -> None:
        self.answer: Machine | None = None
        timer = threading.Timer(HEAD_START_SECONDS, self._ask)
        timer.daemon = True
        timer.start()

    def _ask(self) -> None:
        self.answer = ask()


def ask(timeout: float = 120) -> Machine:
    """Run ``python -m cnn_demo devices --json`` and read its answer; never raises."""
    command = [sys.executable, "-m", "cnn_demo", "devices", "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
        data = json.loads(done.stdout.strip().splitlines()[-1])
        devices = tuple(
            Device(
                d["name"],
                d["title"],
                d.get("memory_bytes") or 0,
                d.get("free_bytes") or 0,
                d.get("arithmetic") or {},
            )
            for d in data["devices"]
        )
        return Machine(devices, data.get("torch") or "", data.get("cuda") or "")
    except subprocess.CalledProcessError as error:
        return Machine(problem=(error.stderr.strip().splitlines() or [str(error)])[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError) as error:
        return Machine(problem=f"{type(error).__name__}: {error}")


@st.cache_resource(show_spinner=False)
def probe() -> Probe:
    """The one probe of this server."""
    return Probe()


def versions() -> dict[str, str]:
    """Python and the installed packages that matter, read from their metadata (nothing is imported)."""
    return {"Python": platform.python_version()} | {package: _version(package) for package in SHOWN_PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "–"
