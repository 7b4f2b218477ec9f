"""A service for tests: the model that ships, computed by PyTorch or by an engine that waits until it is told."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from cnn_demo.plots.png import png_bytes
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.serve.app import create_app
from cnn_demo.serve.engine import Engine, ServedNetwork
from cnn_demo.serve.server import Listening, Server, open_socket
from cnn_demo.serve.service import Service
from cnn_demo.settings.reference import SHIPPED_REF
from tests.unit.drawing.pads import SEVEN, moved, pad

Logits = NDArray[np.float32]
Result = TypeVar("Result")


class TorchEngine:
    """PyTorch's own forward pass: the oracle."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._model = loaded.model

    def compute_logits(self, inputs: Logits) -> Logits:
        with torch.no_grad():
            return self._model(torch.from_numpy(inputs)).numpy()


class GatedEngine:
    """Computes nothing before ``gate`` is set; its logits are the mean of each image, ten times.

    Attributes:
        gate: opened by the test.
        entered: set when a batch has begun.
        sizes: rows of the batches so far.
    """

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def compute_logits(self, inputs: Logits) -> Logits:
        self.sizes.append(len(inputs))
        self.entered.set()
        assert self.gate.wait(60)
        return np.repeat(inputs.reshape(len(inputs), -1).mean(axis=1, keepdims=True), 10, axis=1)


def serve_network(engine: Engine | None = None, mark: object = None) -> ServedNetwork:
    """The model that ships, behind an engine; by default PyTorch's."""
    loaded = load_model(SHIPPED_REF, Store())
    return ServedNetwork(Predictor(loaded, load_calibration(loaded)), engine or TorchEngine(loaded), mark)


def run_coroutine(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it to its end on a loop and thread of its own: where browser tests ran before, this thread has a loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def load(service: Service) -> Service:
    """A service that has loaded its network."""
    await service.reload()
    return service


def make_client(service: Service, token: str | None = None, **options: Any) -> TestClient:
    """A client without a network in between; use it in a ``with``, so that the service ends."""
    return TestClient(create_app(service, token), raise_server_exceptions=False, **options)


class RunningServer:
    """A server on a free port of this machine, run by a thread; ``stop`` it, or use it in a ``with``."""

    def __init__(self, service: Service, *, drain: float = 0) -> None:
        self.service = service
        listening = Listening(port=0, follow=0, drain=drain)
        bound = open_socket(listening)
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self.server = Server(service, listening)
        self.thread = threading.Thread(target=self.server.run, args=([bound],))

    def __enter__(self) -> RunningServer:
        self.thread.start()
        while not (self.server.started and self.service.network):
            assert self.thread.is_alive()
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it in order, as SIGTERM would."""
        if self.thread.is_alive():
            self.server.handle_exit(signal.SIGTERM, None)
            self.thread.join(60)
        assert not self.thread.is_alive()


def digit_png(dx: float = 0, dy: float = 0) -> bytes:
    """A 7 on the pad, as a PNG file."""
    return png_bytes(pad(moved(SEVEN, dx, dy)))


def holding(network: ServedNetwork) -> Callable[[], ServedNetwork]:
    """What loads a network that is there already."""
    return lambda: network
