"""What the command line printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cnn_demo.cli import main


def last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON object on the last line of standard output."""
    return dict(json.loads(capsys.readouterr().out.strip().splitlines()[-1]))


def complains(argv: list[str], status: int, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with this status and one error that names ``word``; nothing is printed as a result."""
    assert main(argv) == status
    captured = capsys.readouterr()
    assert word in captured.err
    assert captured.err.startswith("error: ")
    assert captured.out == ""
