"""Where runs live, and how the end of a log is read. A module of its own, so that a page can ask without
loading the store.
"""

from __future__ import annotations

import os
from pathlib import Path


def runs_home() -> Path:
    """Where runs live: ``CNN_DEMO_HOME``, else ``runs/`` beside ``app.py``."""
    named = os.environ.get("CNN_DEMO_HOME")
    return Path(named).expanduser() if named else Path(__file__).resolve().parents[2] / "runs"


def read_log_tail(path: Path, size: int = 4000) -> str:
    """The last ``size`` bytes of a log as text; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
