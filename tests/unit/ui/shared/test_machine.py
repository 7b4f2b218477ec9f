"""The machine is asked in another process; whatever comes back, the page gets an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cnn_demo.ui.shared import machine


def answer(monkeypatch: pytest.MonkeyPatch, **result: Any) -> machine.Machine:
    def run(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        if "raises" in result:
            raise result["raises"]
        return subprocess.CompletedProcess(command, 0, result["stdout"], "")

    monkeypatch.setattr(subprocess, "run", run)
    return machine.ask()


def test_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {
        "devices": [
            {"name": "cuda:0", "title": "Some GPU", "memory_bytes": 100, "free_bytes": 60},
            {"name": "cpu", "title": "Some CPU", "memory_bytes": None, "free_bytes": None},
        ],
        "torch": "2.14.1",
        "cuda": "13.0",
    }
    found = answer(monkeypatch, stdout="a warning\n" + json.dumps(data) + "\n")
    assert found.names == ("cuda:0", "cpu")
    assert (found.devices[0].free_bytes, found.cuda, found.problem) == (60, "13.0", "")


@pytest.mark.parametrize(
    "failure",
    [
        subprocess.CalledProcessError(1, ["python"], "", "Traceback\nImportError: no torch"),
        subprocess.TimeoutExpired(["python"], 1),
        OSError("cannot fork"),
    ],
)
def test_a_failure_is_an_answer_too(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    found = answer(monkeypatch, raises=failure)
    assert found.devices == ()
    assert found.problem


@pytest.mark.parametrize("stdout", ["", "not json", "{}", '{"devices": [{}]}', "[1]"])
def test_nonsense_is_a_problem(monkeypatch: pytest.MonkeyPatch, stdout: str) -> None:
    assert answer(monkeypatch, stdout=stdout).problem


def test_versions_import_nothing() -> None:
    code = (
        "import sys; from cnn_demo.ui.shared import machine; found = machine.versions();"
        "assert found['torch'][0].isdigit(), found; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
