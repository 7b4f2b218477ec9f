"""What is known of the model that ships before torch is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_demo.prediction import shipped


def test_its_test_result_is_that_of_its_checkpoint() -> None:
    found = shipped.read_shipped_test()
    assert found is not None
    stated = json.loads((shipped.SHIPPED / "checkpoint.json").read_text())["test"]
    assert (found.dataset, found.accuracy, found.n) == (stated["dataset"], stated["accuracy"], stated["n"])
    assert shipped.has_shipped_model()


def test_a_checkout_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    assert not shipped.has_shipped_model()
    assert shipped.read_shipped_test() is None
    (tmp_path / "checkpoint.json").write_text("{}")  # never measured
    assert shipped.has_shipped_model()
    assert shipped.read_shipped_test() is None


def test_no_torch_is_needed() -> None:
    code = "import sys, cnn_demo.prediction.shipped, cnn_demo.prediction.source; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
