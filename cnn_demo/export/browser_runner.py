"""The HTML file, asked in a real browser: Chromium, Chrome or Edge, without a window.

The file is opened as it is, but for its security policy, which would forbid it to fetch. It fetches images from a
server in this process and sends back the logits of its own JavaScript; nothing else of it is changed.
"""

from __future__ import annotations

import os
import queue
import re
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from cnn_demo.export.formats import ExportFailed
from cnn_demo.locales import N_

VARIABLE = "CNN_DEMO_BROWSER"
_PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_PATIENCE = 600.0  # seconds for one call
_START = 60.0  # seconds until a browser asks for the first time
_MOST_BROWSERS = 4
_PART = 32  # images that a browser gets at once

Part = tuple[int, NDArray[np.float32]]  # its number in a call, and images
_ASK = """
<script>
(async () => {
  for (;;) {
    const reply = await fetch("next", { method: "POST" });
    if (reply.status !== 200) return;
    const [count, ...shape] = reply.headers.get("X-Shape").split(",").map(Number), size = product(shape);
    const pixels = new Float32Array(await reply.arrayBuffer()), found = [], began = performance.now();
    for (let i = 0; i < count; i++)
      found.push(...network.run({ shape: [1, ...shape], data: pixels.subarray(i * size, (i + 1) * size) }));
    const seconds = (performance.now() - began) / 1000, part = reply.headers.get("X-Part");
    await fetch(`answer?part=${part}&seconds=${seconds}`, { method: "POST", body: new Float32Array(found) });
  }
})();
</script>
</body>"""


def find_browser() -> str | None:
    """The program of a browser on this machine: what ``CNN_DEMO_BROWSER`` names, else the first that is known."""
    return next(filter(None, map(shutil.which, (os.environ.get(VARIABLE, ""), *_PROGRAMS))), None)


class BrowserRunner:
    """Computes the logits of an HTML file: normalized images ``(N, C, H, W)`` in, ``(N, classes)`` out.

    Args:
        path: the file.
        program: of the browser.

    Several browsers share the images of a call, since each computes on one core only.

    Attributes:
        images, answers: what the browsers fetch, and what they send.
        asked: once a browser has asked for images.
        seconds: what the last call took within the browsers, added up: what one alone would need, without the way there
            and back.

    Raises:
        OSError: the browser cannot be started.
    """

    def __init__(self, path: Path, program: str) -> None:
        self.seconds = 0.0
        self.images: queue.Queue[Part | None] = queue.Queue()
        self.answers: queue.Queue[tuple[int, bytes, float]] = queue.Queue()
        self.asked = threading.Event()
        page = _POLICY.sub("", path.read_text(encoding="utf-8")).replace("</body>", _ASK)
        secret = f"/{secrets.token_urlsafe(16)}/"  # nobody else on this machine may ask or answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self, page, secret))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="browser runner", daemon=True).start()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = ["--headless", "--no-first-run", "--disable-gpu"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # root has none to give
        address = f"http://127.0.0.1:{self._server.server_address[1]}{secret}"
        quiet = subprocess.DEVNULL
        self._processes = [
            subprocess.Popen(
                [program, *flags, f"--user-data-dir={self._folder.name}/{number}", address],
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
            )
            for number in range(min(_MOST_BROWSERS, os.cpu_count() or 1))
        ]

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits.

        Raises:
            ExportFailed: the browser ended, or does not answer.
        """
        pieces = np.array_split(images.astype("<f4"), -(-len(images) // _PART))
        for number, piece in enumerate(pieces):
            self.images.put((number, piece))
        found: dict[int, NDArray[np.float32]] = {}
        self.seconds = 0.0
        began = time.monotonic()
        while len(found) < len(pieces):
            try:
                number, content, seconds = self.answers.get(timeout=0.5)
            except queue.Empty:
                ended = any(process.poll() is not None for process in self._processes)
                patience = _PATIENCE if self.asked.is_set() else _START
                if ended or time.monotonic() - began > patience:
                    raise ExportFailed(N_("The browser ended, or gave no answer.")) from None
                continue
            found[number] = np.frombuffer(content, dtype="<f4").reshape(len(pieces[number]), -1)
            self.seconds += seconds
        return np.concatenate([found[number] for number in range(len(pieces))])

    def close(self) -> None:
        """End the browsers."""
        for process in self._processes:
            self.images.put(None)
            process.terminate()
        for process in self._processes:
            _end(process)
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()


def _make_handler(runner: BrowserRunner, page: str, secret: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == secret:
                self._send(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
            else:
                self._send(404, b"", {})

        def do_POST(self) -> None:
            address = urlsplit(self.path)
            if address.path == f"{secret}next":
                runner.asked.set()
                part = runner.images.get()
                if part is None:
                    self._send(204, b"", {})
                else:
                    number, batch = part
                    headers = {"X-Part": str(number), "X-Shape": ",".join(map(str, batch.shape))}
                    self._send(200, batch.tobytes(), headers)
            elif address.path == f"{secret}answer":
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                said = parse_qs(address.query)
                runner.answers.put((int(said["part"][0]), content, float(said["seconds"][0])))
                self._send(204, b"", {})
            else:
                self._send(404, b"", {})

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
