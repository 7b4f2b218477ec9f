"""Exports in a process of their own: one at a time on this server, shared by all who ask for the same, and kept."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_AT_MOST_SECONDS = 1800
_PROGRESS = re.compile(r"^(\w+)\s+(\d+)%$")
RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants.

    Attributes:
        network: its reference, with a step for a run.
        formats: names of the table of formats, in its order.
        options: flags of the command line with what follows them, such as ``--images 64`` or ``--no-compare``.
        receipt: whether the files are compared with PyTorch.
    """

    network: str
    formats: tuple[str, ...]
    options: tuple[tuple[str, ...], ...] = ()
    receipt: bool = True

    @property
    def key(self) -> str:
        """The same for the same wish, also in another process."""
        text = json.dumps([self.network, self.formats, self.options, self.receipt])
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()

    def write_command(self, folder: Path) -> list[str]:
        """The command line that makes it."""
        options = [part for option in self.options for part in option]
        command = [sys.executable, "-m", "cnn_demo", "export", self.network, "--format", *self.formats]
        return [*command, "--out", str(folder), "--json", *options, *(["--receipt"] if self.receipt else [])]


class ExportJob:
    """One wish on its way.

    Attributes:
        wish: what it is for.
        what, part: which format, or the receipt, is at work, and how much of it is done, 0 to 1.
        problem: why it failed, in English; "" if it did not. Where it names places in braces, ``values`` fills them.
        stopped: somebody stopped it.
    """

    def __init__(self, wish: Wish, folder: Path, turn: threading.Semaphore) -> None:
        self.wish, self.folder = wish, folder
        self.what, self.part, self.problem, self.stopped = "", 0.0, "", False
        self.values: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._ended = threading.Event()
        self._turn = turn
        threading.Thread(target=self._work, name="export", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether it waits or works."""
        return not self._ended.is_set()

    @property
    def waiting(self) -> bool:
        """Whether others come first."""
        return self.running and self._process is None

    def stop(self) -> None:
        """End it; what was made is thrown away."""
        self.stopped = True
        if self._process is not None:
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        return self._ended.wait(seconds)

    def _work(self) -> None:
        try:
            with self._turn:
                if not self.stopped:
                    self._run()
        except Exception as error:  # a full disk, above all; it is told on the page
            log.exception("an export failed")
            self.problem, self.values = "{error}", {"error": str(error)}
        finally:
            if not (self.folder / RESULT).exists():
                shutil.rmtree(self.folder, ignore_errors=True)
            self._ended.set()

    def _run(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._process = subprocess.Popen(
            self.wish.write_command(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        limit = threading.Timer(_AT_MOST_SECONDS, self._process.terminate)
        limit.daemon = True
        limit.start()
        last = self._listen(self._process)
        answer = self._process.stdout.read() if self._process.stdout else ""
        status = self._process.wait()
        limit.cancel()
        try:
            found = json.loads(answer)
        except ValueError:
            found = {}
        if "error" in found:
            self.problem, self.values = found["error"]["message"], found["error"]["values"]
            return
        if not isinstance(files := found.get("files"), dict):
            self.problem, self.values = "{error}", {"error": last.removeprefix("error: ") or f"exit status {status}"}
            return
        if all(Path(made["path"]).is_file() for made in files.values()):
            (self.folder / RESULT).write_text(json.dumps(found), encoding="utf-8")

    def _listen(self, process: subprocess.Popen[str]) -> str:
        """Follow what it says; the last line that is no progress."""
        assert process.stderr is not None, "asked for above"
        last = ""
        for line in process.stderr:
            for piece in filter(None, (piece.strip() for piece in line.split("\r"))):
                if done := _PROGRESS.match(piece):
                    self.what, self.part = done[1], int(done[2]) / 100
                else:
                    last = piece
        return last


class ExportJobs:
    """All exports of this server.

    Args:
        home: where their folders are.
        most_waiting: more are refused.
        kept: so many folders stay; the oldest go.
    """

    def __init__(self, home: Path, most_waiting: int = 8, kept: int = 16) -> None:
        self._home, self._most_waiting, self._kept = home, most_waiting, kept
        self._jobs: dict[str, ExportJob] = {}
        self._lock, self._turn = threading.Lock(), threading.Semaphore(1)

    def find(self, wish: Wish) -> ExportJob | None:
        """The job of a wish, running or ended since the server began."""
        return self._jobs.get(wish.key)

    def start(self, wish: Wish) -> ExportJob | None:
        """Begin, or join who has begun; None where too many wait."""
        with self._lock:
            job = self._jobs.get(wish.key)
            if job is not None and job.running:
                return job
            if sum(job.running for job in self._jobs.values()) >= self._most_waiting:
                return None
            self._forget()
            job = self._jobs[wish.key] = ExportJob(wish, self._home / wish.key, self._turn)
            return job

    def load(self, wish: Wish) -> dict[str, Any] | None:
        """What was made and found: the JSON of the command line; None where it is not there, or no longer whole."""
        try:
            found: dict[str, Any] = json.loads((self._home / wish.key / RESULT).read_text("utf-8"))
            whole = all(Path(made["path"]).stat().st_size == made["bytes"] for made in found["files"].values())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if whole else None

    def _forget(self) -> None:
        self._jobs = {key: job for key, job in self._jobs.items() if job.running}
        folders = [path for path in self._home.glob("*") if path.is_dir() and path.name not in self._jobs]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for folder in folders[self._kept - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)


def write_options(values: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Values of options as flags of the command line, those that are not empty."""
    flags: list[tuple[str, ...]] = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append((f"--{flag}" if value else f"--no-{flag}",))
        elif str(value) != "":
            flags.append((f"--{flag}", str(value)))
    return tuple(flags)
