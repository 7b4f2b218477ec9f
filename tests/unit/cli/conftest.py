"""One short run of the command line, shared by the tests of all verbs. Copy its home before changing anything in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

QUICK = ["train", "--epochs", "1", "--batch-size", "1000", "--device", "cpu"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The home of a store with one short run, and what the command printed."""
    home = tmp_path_factory.mktemp("cli-home")
    env = {**os.environ, "CNN_DEMO_HOME": str(home)}
    command = [sys.executable, "-m", "cnn_demo", *QUICK, "--json", "--name", "short", "--save", str(home / "saved")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return home, json.loads(done.stdout.strip().splitlines()[-1])
