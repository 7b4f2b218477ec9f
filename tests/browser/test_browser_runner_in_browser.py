"""The HTML file's row of the receipt: asked in a real Chromium, against PyTorch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.export import browser_runner
from cnn_demo.export.browser_runner import BrowserRunner, find_browser
from cnn_demo.export.formats import FORMATS, ExportFailed
from cnn_demo.export.html_file import write_html
from cnn_demo.export.receipt import make_receipt
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.browser.serving import until

pytestmark = pytest.mark.browser


@pytest.fixture
def loaded(store: Store) -> LoadedModel:
    return load_model(ModelRef.parse("untrained:cnn-tiny"), store)


@pytest.fixture
def file(loaded: LoadedModel, tmp_path: Path) -> Path:
    write_html(loaded, None, tmp_path / "net.html")
    return tmp_path / "net.html"


@pytest.fixture
def runner(file: Path) -> Iterator[BrowserRunner]:
    program = find_browser()
    assert program is not None
    found = BrowserRunner(file, program)
    yield found
    found.close()


def test_its_logits_are_pytorchs_in_batches_of_any_size(loaded: LoadedModel, runner: BrowserRunner) -> None:
    for count in (1, 7, 256):
        images = torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            expected = loaded.model(images).numpy()
        assert np.abs(runner(images.numpy()) - expected).max() < 1e-5
        assert runner.seconds > 0


def test_a_browser_that_ended_is_named(runner: BrowserRunner) -> None:
    runner(np.zeros((1, 1, 28, 28), dtype=np.float32))
    for process in runner._processes:
        process.kill()

    def ask_on() -> None:
        for _ in range(1000):  # its page may live a moment longer than the browser, and still answer
            runner(np.zeros((1, 1, 28, 28), dtype=np.float32))

    with pytest.raises(ExportFailed, match="browser ended"):
        ask_on()


def test_the_receipt_has_its_row(loaded: LoadedModel, file: Path) -> None:
    test = load_dataset("mnist-mini").test.take(torch.arange(300))
    found = make_receipt(loaded, {"html": file}, test, calls=(5, 1))
    torch_row, row = found.rows
    assert (row.format, row.n, row.correct, row.agreement) == ("html", 300, torch_row.correct, 1.0)
    assert 0 < row.largest < 1e-4
    assert row.holds
    assert (row.nbytes, found.notes) == (file.stat().st_size, ())
    assert [latency.n for latency in row.latencies] == [5, 1]


def test_a_browser_that_does_not_start_costs_the_other_formats_nothing(
    loaded: LoadedModel, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = load_dataset("mnist-mini").test.take(torch.arange(50))
    weights = FORMATS.get("weights").load()(loaded, tmp_path, {}, lambda _part: None).path
    monkeypatch.setattr(browser_runner, "_START", 1.0)
    for name, script in (("ends", "#!/bin/sh\nexit 1\n"), ("sleeps", "#!/bin/sh\nexec sleep 60\n")):
        program = tmp_path / name
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv(browser_runner.VARIABLE, str(program))
        found = make_receipt(loaded, {"html": file, "weights": weights}, test, calls=(1, 1))
        assert [row.format for row in found.rows] == ["pytorch", "weights"]
        assert [message for message, _values in found.notes] == ["The browser ended, or gave no answer."]


def test_a_file_with_other_arithmetic_does_not_hold(loaded: LoadedModel, file: Path) -> None:
    text = file.read_text("utf-8")
    file.write_text(text.replace("Math.max(v, 0)", "Math.max(v, 0.1)"), "utf-8")
    test = load_dataset("mnist-mini").test.take(torch.arange(50))
    assert not make_receipt(loaded, {"html": file}, test, calls=(1, 1)).rows[1].holds


def test_the_variable_names_a_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv(browser_runner.VARIABLE, str(own))
    assert find_browser() == str(own)
    monkeypatch.setenv(browser_runner.VARIABLE, str(tmp_path / "missing"))
    known = [name for name in browser_runner._PROGRAMS if shutil.which(name)]
    assert find_browser() == (shutil.which(known[0]) if known else None)
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(browser_runner, "_PROGRAMS", ("chromium",))
    assert find_browser() is None


def test_who_ends_the_command_ends_its_browsers(tmp_path: Path) -> None:
    words = ["export", "untrained:cnn", "--format", "html", "--receipt", "--out", str(tmp_path)]
    folder = tmp_path / "temporary"
    folder.mkdir()
    env = {**os.environ, "TMPDIR": str(folder)}
    command = subprocess.Popen([sys.executable, "-m", "cnn_demo", *words], env=env, stderr=subprocess.DEVNULL)

    def find_browsers() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if any(str(folder) in w for w in p.info["cmdline"] or [])]

    until(find_browsers)
    command.terminate()
    assert command.wait(60) == 143
    until(lambda: not find_browsers(), 20)
