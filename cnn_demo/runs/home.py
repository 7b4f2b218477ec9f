"""Where runs live. A module of its own, so that a page can ask without loading the store."""

from __future__ import annotations

import os
from pathlib import Path


def runs_home() -> Path:
    """Where runs live: ``CNN_DEMO_HOME``, else ``runs/`` beside ``app.py``."""
    named = os.environ.get("CNN_DEMO_HOME")
    return Path(named).expanduser() if named else Path(__file__).resolve().parents[2] / "runs"
