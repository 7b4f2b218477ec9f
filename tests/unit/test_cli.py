"""The command line as a whole: help, wrong command lines, closed pipes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cnn_demo.cli import COMMANDS, main
from cnn_demo.runs.store import Store


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS], ["runs", "export"], ["data", "download"]])
def test_every_command_has_help(command: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["fly"], ["train", "--epochs", "many"], ["train", "--schedule", "zigzag"], ["predict"]]
)
def test_wrong_command_lines_end_with_two(argv: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_a_closed_pipe_is_no_traceback(trained) -> None:
    home, _ = trained
    env = {**os.environ, "CNN_DEMO_HOME": str(home)}
    line = f"{sys.executable} -m cnn_demo runs show {Store(home).list()[0].id} | true"
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
