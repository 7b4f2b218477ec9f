"""Runs that commit 953c0f6 made open on the Train page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.pages.reading import words


def test_every_old_run_opens(open_page: Callable[..., Any], old_home: Path, old_expected: dict[str, Any]) -> None:
    for name, run in old_expected["runs"].items():
        app = open_page("pages/train/train.py", run=run["id"])
        assert name in words(app)
        assert run["config"]["dataset"] in words(app)
