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
_PATIENCE = 600.0  # seconds for one batch
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
    const seconds = (performance.now() - began) / 1000;
    await fetch(`answer?seconds=${seconds}`, { method: "POST", body: new Float32Array(found) });
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

    Attributes:
        seconds: what the last call took within the browser, without the way there and back.

    Raises:
        OSError: the browser cannot be started.
    """

    def __init__(self, path: Path, program: str) -> None:
        self.seconds = 0.0
        self._images: queue.Queue[NDArray[np.float32] | None] = queue.Queue()
        self._answers: queue.Queue[tuple[bytes, float]] = queue.Queue()
        page = _POLICY.sub("", path.read_text(encoding="utf-8")).replace("</body>", _ASK)
        secret = f"/{secrets.token_urlsafe(16)}/"  # nobody else on this machine may ask or answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(page, secret, self._images, self._answers))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="browser runner", daemon=True).start()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = ["--headless", f"--user-data-dir={self._profile.name}", "--no-first-run", "--disable-gpu"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # root has none to give
        address = f"http://127.0.0.1:{self._server.server_address[1]}{secret}"
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([program, *flags, address], stdin=quiet, stdout=quiet, stderr=quiet)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits.

        Raises:
            ExportFailed: the browser ended, or does not answer.
        """
        self._images.put(np.ascontiguousarray(images, dtype="<f4"))
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                content, self.seconds = self._answers.get(timeout=0.5)
            except queue.Empty:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise ExportFailed(N_("The browser ended, or gave no answer.")) from None
                continue
            return np.frombuffer(content, dtype="<f4").reshape(len(images), -1)

    def close(self) -> None:
        """End the browser."""
        self._images.put(None)
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._server.shutdown()
        self._server.server_close()
        self._profile.cleanup()


def _make_handler(
    page: str,
    secret: str,
    images: queue.Queue[NDArray[np.float32] | None],
    answers: queue.Queue[tuple[bytes, float]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == secret:
                self._send(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
            else:
                self._send(404, b"", {})

        def do_POST(self) -> None:
            address = urlsplit(self.path)
            if address.path == f"{secret}next":
                batch = images.get()
                if batch is None:
                    self._send(204, b"", {})
                else:
                    self._send(200, batch.tobytes(), {"X-Shape": ",".join(map(str, batch.shape))})
            elif address.path == f"{secret}answer":
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answers.put((content, float(parse_qs(address.query)["seconds"][0])))
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
