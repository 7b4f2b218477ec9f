"""``devices`` names what can be trained on, for people and as JSON."""

from __future__ import annotations

import json

import psutil
import pytest
import torch

from cnn_demo.cli import main


def test_devices_are_listed_with_their_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["torch"] == torch.__version__
    last = found["devices"][-1]
    assert last["name"] == "cpu"
    assert last["memory_bytes"] == psutil.virtual_memory().total
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("cpu ")
