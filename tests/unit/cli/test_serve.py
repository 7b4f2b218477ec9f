"""``python -m cnn_demo serve``: what it refuses, and one life of the real process with onnxruntime behind it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from cnn_demo.cli import main, serve
from cnn_demo.drawing.pictures import decode_picture
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import load_model
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import put_checkpoint
from tests.unit.cli.reading import complains
from tests.unit.serve.served import digit_png

PNG = {"Content-Type": "image/png"}


@pytest.mark.parametrize(
    ("words", "status", "named"),
    [
        (["--host", "0.0.0.0"], 2, "--insecure"),
        (["--host", "::"], 2, "--token-env"),
        (["--token", " "], 2, "token is empty"),
        (["--token-env", "NO_SUCH_NAME"], 2, "NO_SUCH_NAME"),
        (["--port", "70000"], 2, "70000"),
        (["--max-queue", "0"], 2, "--max-queue 0"),
        (["--max-mb", "nan"], 2, "--max-mb nan"),
        (["--deadline", "inf"], 2, "--deadline inf"),
        (["--rate", "-1"], 2, "--rate -1"),
        (["nothing:here"], 2, "nothing:here"),
        (["unknown-run"], 1, "unknown-run"),
    ],
)
def test_what_it_refuses(words: list[str], status: int, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    complains(["serve", *words], status, named, capsys)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "python_multipart" else True)
    complains(["serve"], 1, "python-multipart: pip install -r requirements.txt -r requirements-serve.txt", capsys)


def test_a_taken_port_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err


@contextlib.contextmanager
def serving(home: Path, *words: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """The command as a process, ready to answer."""
    command = [sys.executable, "-m", "cnn_demo", "serve", *words, "--port", "0"]
    environment = {**os.environ, "CNN_DEMO_HOME": str(home), "OMP_NUM_THREADS": "1", **env}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with httpx.Client(base_url=process.stdout.readline().strip(), timeout=60) as client:
            wait_for(lambda: client.get("/ready").status_code == 200, process)
            yield process, client
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 200
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGTERM nor SIGHUP")
def test_a_run_is_followed_and_the_end_is_orderly(store: Store, make_run: Callable[..., Run]) -> None:
    run = make_run("running", config=TrainConfig(model="cnn-tiny"))
    put_checkpoint(store, run, step=20, seed=1)
    with serving(store.home, run.id, "--token-env", "SECRET", "--follow", "0.1", SECRET="abc") as (process, client):
        assert client.post("/predict", content=digit_png(), headers=PNG).status_code == 401
        client.headers["Authorization"] = "Bearer abc"
        first = client.post("/predict", content=digit_png(), headers=PNG).json()
        assert (first["network"], first["step"], first["calibrated"]) == (f"{run.id}@20", 20, False)
        assert first["predictions"][0]["verdict"] is None  # a run that trains is not calibrated
        put_checkpoint(store, run, step=40, seed=2)
        steps: list[int] = []
        while not steps or steps[-1] == 20:  # every request is answered while the network changes
            answer = client.post("/predict", content=digit_png(), headers=PNG)
            assert answer.status_code == 200
            steps.append(answer.json()["step"])
        assert steps[-1] == 40
        loaded = load_model(ModelRef.parse(f"{run.id}@40"), store)
        (wanted,) = Predictor(loaded).predict([decode_picture(digit_png())])
        found = client.post("/predict", content=digit_png(), headers=PNG).json()["predictions"][0]
        np.testing.assert_allclose(found["probabilities"], wanted.probabilities, atol=1e-4)
        assert client.post("/reload").json() == {"changed": False, "network": f"{run.id}@40", "step": 40}
        process.send_signal(signal.SIGHUP)
        reloads = 'cnn_demo_reloads_total{outcome="same"} 2.0'
        wait_for(lambda: reloads in client.get("/metrics").text, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_onnxruntime_gives_the_answers_of_the_page(tmp_path: Path) -> None:
    """A hundred drawings, one request after another and together; PyTorch's are the oracle."""
    pictures = [digit_png(dx, dy) for dx in range(-40, 60, 10) for dy in range(-40, 60, 10)]
    loaded = load_model(ModelRef.parse("shipped"), Store())
    wanted = Predictor(loaded, load_calibration(loaded)).predict([decode_picture(picture) for picture in pictures])
    with serving(tmp_path, "--rate", "0") as (_, client):
        rows = [client.post("/predict", content=picture, headers=PNG).json()["predictions"][0] for picture in pictures]
        files = [("images", (str(n), picture)) for n, picture in enumerate(pictures[:64])]
        together = client.post("/predict", files=files).json()["predictions"]
    for row, prediction in [*zip(rows, wanted, strict=True), *zip(together, wanted[:64], strict=True)]:
        assert row["label"] == str(prediction.verdict.top)
        assert row["verdict"] == prediction.verdict.kind
        assert row["warnings"] == list(prediction.drawing.warnings)
        np.testing.assert_allclose(row["probabilities"], prediction.probabilities, atol=1e-4)
