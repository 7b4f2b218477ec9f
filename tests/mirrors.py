"""A small data set in MNIST's format, and a local HTTP server that stands for torchvision's mirrors."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cnn_demo.datasets import files, specs

TRAIN, TEST = 30, 20


class Mirror(http.server.ThreadingHTTPServer):
    """Serves ``content``; ``once`` names what happens to the next requests of a path instead.

    ``"die"`` closes the connection in the middle, ``"404"`` answers so, ``"wrong"`` sends other bytes, ``"endless"``
    states no length.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: dict[str, bytes] = {}
        self.once: dict[str, list[str]] = {}
        self.requests: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.server.requests.append(name)
        self.server.gate.wait(30)
        queue = self.server.once.get(name, [])
        what = queue.pop(0) if queue else ""
        if what == "404" or name not in self.server.content:
            self.send_error(404)
            return
        body = self.server.content[name]
        self.send_response(200)
        if what != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if what == "wrong":
            body = bytes(len(body))
        self.wfile.write(body[: len(body) // 2] if what == "die" else body)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


@dataclasses.dataclass(frozen=True)
class Small:
    """The arrays of the small data set, and its packed files by name."""

    arrays: dict[str, np.ndarray]
    packed: dict[str, bytes]

    @property
    def resources(self) -> list[tuple[str, str]]:
        """What torchvision's classes have under this name: packed file and MD5."""
        return [(name, hashlib.md5(content).hexdigest()) for name, content in self.packed.items()]

    def put(self, folder: Path, *, plain: bool = False) -> None:
        """Place the files in a folder, as a person would by hand."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.packed.items():
            if plain:
                (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Small:
    """mnist and fashion-mnist shrink to 30 training and 20 test images for the time of a test."""
    for name in ("mnist", "fashion-mnist"):
        spec = dataclasses.replace(specs.get_spec(name), train_size=TRAIN, test_size=TEST)
        monkeypatch.setitem(specs.DATASETS.get(name).facts, "spec", spec)
    rng = np.random.default_rng(0)
    arrays = {}
    for file in files.IDX_FILES:
        count = TRAIN if file.startswith("train") else TEST
        arrays[file] = (
            rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            if "images" in file
            else (np.arange(count) % 10).astype(np.uint8)
        )
    return Small(arrays, {f"{file}.gz": gzip.compress(files.idx_bytes(array)) for file, array in arrays.items()})


@pytest.fixture
def served(small: Small, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Small:
    """The small data set, served by ``mirror`` as torchvision's MNIST."""
    import torchvision

    mirror.content.update(small.packed)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror.url])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", small.resources)
    return small
