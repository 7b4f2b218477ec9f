"""``lr-find``: a suggestion, and a clear word where there is none."""

from __future__ import annotations

import pytest

from cnn_demo.cli import main
from tests.unit.cli.reading import complains, last_json

QUICK = ["lr-find", "--model", "cnn-tiny", "--width", "4", "--batch-size", "32", "--device", "cpu", "--steps", "40"]


def test_it_suggests_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--low", "1e-4", "--json"]) == 0
    told = last_json(capsys)
    assert told["model"] == "cnn-tiny"
    lowest = min(told["points"], key=lambda point: point[2])
    assert told["lowest_at"] == lowest[0]
    assert told["suggestion"] == pytest.approx(lowest[0] / 10, rel=0.05)


def test_what_cannot_be_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    complains([*QUICK, "--low", "2"], 2, "high = 1.0: must be a number above 2.0", capsys)
    assert main([*QUICK, "--low", "1e-8", "--high", "1e-7", "--json"]) == 1
    captured = capsys.readouterr()
    assert "did not fall at any rate" in captured.err
    assert '"error_kind": "flat"' in captured.out
