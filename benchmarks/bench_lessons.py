"""Lessons: one change on the server, one pointing in the browser, and the first paint.

``python -m benchmarks.bench_lessons``: every lesson at random settings (n changes each, the shipped network, the first
test image), then Chromium on a server of its own.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.lessons.contents import CHAPTERS, load_lesson
from cnn_demo.lessons.controls import draw_random_values
from cnn_demo.lessons.lesson import Subject
from cnn_demo.lessons.packing import pack_rows
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import SHIPPED_REF


def measure_changes(changes: int) -> None:
    """Milliseconds from new values to the packed scene, revealed part included."""
    print(f"{'lesson':<16}{'median ms':>10}{'p95 ms':>9}{'largest':>9}   n = {changes}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        network = load_model(SHIPPED_REF, Store(Path(folder)))
        subject = Subject(image=load_dataset("mnist-mini", download=False).test.images[0], network=network)
        for chapter in CHAPTERS:
            lesson, stream, found = load_lesson(chapter.name), random.Random(chapter.name), []
            for number in range(changes + 3):
                values = draw_random_values(lesson.controls, stream)
                began = time.perf_counter()
                scene = lesson.show(subject, values)
                pack_rows([*scene.rows, *scene.reveal], str, {})
                if number >= 3:  # the first ones load what is then kept
                    found.append((time.perf_counter() - began) * 1e3)
            found.sort()
            p95 = found[min(len(found) - 1, int(len(found) * 0.95))]
            print(f"{chapter.name:<16}{statistics.median(found):>10.1f}{p95:>9.1f}{found[-1]:>9.1f}")


POINT = """([selector, n]) => {
  const root = [...document.querySelectorAll('*')].flatMap((e) => e.shadowRoot ? [e.shadowRoot] : []).concat(document)
    .find((r) => r.querySelector(selector));
  const picture = root.querySelector(selector), box = picture.getBoundingClientRect(), times = [];
  for (let i = 0; i < n; i++) {
    const [x, y] = [(i * 37) % box.width, (i * 53) % box.height];
    const at = { clientX: box.left + x, clientY: box.top + y, bubbles: true };
    const began = performance.now();
    picture.dispatchEvent(new PointerEvent('pointermove', at));
    picture.getBoundingClientRect(); // style and layout, too
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}"""


def measure_browser(points: int, visits: int) -> None:
    """Milliseconds of a pointing that moves the window, and of the first paint on a warm server."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGS
    from tests.browser.serving import Server
    from tests.ensure_chromium import find

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "runs")
        server.start()
        browser = playwright.chromium.launch(executable_path=find(), args=[*ARGS, "--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 1300})
            page.goto(server.url + "/learn?lesson=convolution&sample=3-4")
            selector = '.panel[data-panel="output"] .picture'
            page.locator(selector).wait_for(timeout=120_000)
            times = page.evaluate(POINT, [selector, points])
            p95 = times[int(len(times) * 0.95)]
            print(f"pointing: median {statistics.median(times):.2f} ms, p95 {p95:.2f} ms, n = {points}")
            heading, painted = [], []
            for number in range(visits):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                began = time.perf_counter()
                page.goto(f"{server.url}/learn?lesson={CHAPTERS[number % len(CHAPTERS)].name}")
                page.locator("h1").wait_for()
                heading.append(time.perf_counter() - began)
                page.locator(".lesson-stage[data-ready]").first.wait_for()
                painted.append(time.perf_counter() - began)
                page.close()
            for name, found in (("heading", heading), ("the stage is drawn", painted)):
                median, largest = statistics.median(found), max(found)
                print(f"{name}: median {median:.2f} s, largest {largest:.2f} s, n = {visits}, warm server")
        finally:
            browser.close()
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100, help="random settings for each lesson")
    parser.add_argument("--points", type=int, default=500, help="pointings in the browser")
    parser.add_argument("--visits", type=int, default=22, help="visits of a warm server")
    args = parser.parse_args()
    measure_changes(args.changes)
    measure_browser(args.points, args.visits)


if __name__ == "__main__":
    main()
