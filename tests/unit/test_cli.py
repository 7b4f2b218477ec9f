"""The command line as a whole: help, wrong command lines, closed pipes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from cnn_demo.cli import COMMANDS, main
from cnn_demo.runs.records import Run


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS], ["runs", "export"], ["data", "download"]])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["fly"], ["train", "--epochs", "many"], ["train", "--schedule", "zigzag"], ["predict"]]
)
def test_wrong_command_lines_end_with_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_a_closed_pipe_is_no_traceback(make_run: Callable[..., Run]) -> None:
    line = f"{sys.executable} -m cnn_demo runs show {make_run('finished').id} | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "no run" not in done.stderr
