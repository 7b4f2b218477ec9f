"""The code that the builder gives runs as it is and makes the same model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnn_demo.models.builder import create_built_model
from cnn_demo.models.builder_code import write_code
from cnn_demo.models.layer_list import DEFAULT_TEXT, parse_rows
from cnn_demo.models.layer_plan import plan_rows
from tests.unit.models.test_layer_plan import EVERY_KIND


@pytest.mark.parametrize("text", [DEFAULT_TEXT, EVERY_KIND, "v1"])
@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 28, 10), (3, 32, 7)])
def test_code_makes_the_same_model(text: str, channels: int, size: int, classes: int) -> None:
    code = write_code(plan_rows(parse_rows(text), channels, size, classes), channels, size, classes)
    made: dict = {"__name__": "copied"}
    exec(compile(code, "copied.py", "exec"), made)
    torch.manual_seed(3)
    copied = made["build_model"]()
    torch.manual_seed(3)
    ours = create_built_model(channels, size, classes, text)
    assert list(copied.state_dict()) == list(ours.state_dict())
    for name, value in ours.state_dict().items():
        assert torch.equal(copied.state_dict()[name], value), name
    x = torch.randn(4, channels, size, size)
    assert torch.equal(copied.eval()(x), ours.eval()(x))


def test_code_runs_where_nothing_of_ours_is(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(write_code(plan_rows(parse_rows(EVERY_KIND), 3, 32, 10), 3, 32, 10), "utf-8")
    ran = subprocess.run([sys.executable, "-I", str(file)], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.strip() == "(2, 10)"
    assert "cnn_demo" not in file.read_text("utf-8")


def test_only_blocks_that_are_used_are_written() -> None:
    assert "class" not in write_code(plan_rows(parse_rows(DEFAULT_TEXT), 1, 28, 10), 1, 28, 10)
