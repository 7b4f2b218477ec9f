"""Claims: from pointer-up to the new prediction on the page at most 300 ms (95th percentile), of which our own code
takes 40 ms; one prediction in process at most 10 ms; 2.5 s from the first visit of the page until one can draw.

The page: headless Chromium draws digits with the mouse on an empty pad. The page's own clock runs from the pointer-up
event to the change of the answer's card; in it are Streamlit's and the pad's own delays, of which the pad's fixed wait
of 200 ms is the largest. Our own code: the same fragment in this process (AppTest), only the time inside its three
parts (pad, answer, closer look). In process: preparation, one forward pass of all stages, and the judgment.
"""

from __future__ import annotations

import argparse
import base64
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.testing.v1 import AppTest

from benchmarks.bench_app import open_chromium
from benchmarks.common import ROOT, machine, quantile, server, spread, verdict
from cnn_demo.handwriting.skeletons.pen import PenPath, RandomStream
from cnn_demo.handwriting.skeletons.styles import choose_style, list_styles
from cnn_demo.handwriting.strokes import PenVariation, draw_on_pad, write_digit

WATCH = """() => {
  const card = () => document.querySelector('.draw-cards')?.outerHTML;
  let before = null;
  addEventListener('pointerup', () => { before = card(); window.up = performance.now(); window.answered = 0; }, true);
  new MutationObserver(() => {
    if (before !== null && card() && card() !== before) {
      requestAnimationFrame(() => { window.answered ||= performance.now(); });
    }
  }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


def strokes(n: int) -> list[PenPath]:
    """Digits in one stroke each, about 170 pixels high, ``(points, 2)`` in pixels of the pad."""
    stream, variation = RandomStream(np.random.default_rng(11)), PenVariation(dragged=1, ticked=0, resampled=0)
    found = []
    for i in range(n):
        (path,) = write_digit(choose_style(list_styles()[i % 10], stream), variation, stream)
        path = path[:: max(1, len(path) // 14)]
        low, high = path.min(axis=0), path.max(axis=0)
        found.append((path - low) / max(float((high - low).max()), 1e-6) * 170 + 50)
    return found


def stroke(page: Page, path: PenPath) -> None:
    """Draw with the mouse."""
    canvas = page.locator("canvas.upper-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    points = [(box["x"] + x, box["y"] + y) for x, y in path.tolist()]
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y)
    page.mouse.up()


def on_page(page: Page, paths: list[PenPath]) -> list[float]:
    """Milliseconds from pointer-up to the answer, for one stroke on an empty pad each."""
    page.evaluate(WATCH)
    times = []
    for path in paths:
        page.locator(".draw-card[data-kind=empty]").wait_for()
        page.wait_for_timeout(300)
        stroke(page, path)
        page.wait_for_function("window.answered > 0", timeout=20_000)
        times.append(float(page.evaluate("window.answered - window.up")))
        page.get_by_role("button", name="Clear", exact=True).click()
    return times


def first_visit(browser: Browser, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from going to the page on a fresh server until the pad is there, and until a stroke has an answer."""
    pad, answer = [], []
    for path in strokes(rounds):
        with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_, address):
            page = browser.new_page(locale="en-US", viewport={"width": 1440, "height": 900})
            began = time.perf_counter()
            page.goto(f"{address}/draw", wait_until="commit")
            page.locator("canvas.upper-canvas").wait_for(timeout=30_000)
            pad.append(time.perf_counter() - began)
            stroke(page, path)
            page.locator(".draw-card:not([data-kind=empty])").wait_for(timeout=60_000)
            answer.append(time.perf_counter() - began)
            page.close()
    return pad, answer


def pictures(n: int) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Digits as they stand on the pad, ``(280, 280)`` each."""
    stream, variation = RandomStream(np.random.default_rng(12)), PenVariation()
    pads = []
    for i in range(n):
        paths = write_digit(choose_style(list_styles()[i % 10], stream), variation, stream)
        pads.append(draw_on_pad(paths, stream.u(*variation.pen), stream.u(*variation.fill), stream))
    return pads


def in_process(n: int) -> list[float]:
    """Milliseconds for preparation, forward pass and judgment of one drawing."""
    from cnn_demo.cli.networks import load_network
    from cnn_demo.prediction.calibration import load_calibration
    from cnn_demo.prediction.predictor import Predictor

    loaded = load_network()
    predictor = Predictor(loaded, load_calibration(loaded))
    times = []
    for picture in pictures(n + 10):
        began = time.perf_counter()
        predictor.predict_drawings([predictor.prepare(picture)], stages=True)
        times.append((time.perf_counter() - began) * 1000)
    return times[10:]


def own_part(n: int) -> list[float]:
    """Milliseconds that one stroke spends in the parts of the page's fragment."""
    import cnn_demo.prediction.predictor  # noqa: F401  # with it the page answers at once
    from cnn_demo.ui.draw import pad, sections

    logging.getLogger("streamlit").setLevel(logging.ERROR)  # no browser is there, and it says so at every run
    spent = [0.0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args)
            finally:
                spent[0] += (time.perf_counter() - began) * 1000

        return call

    pad.choose_picture = timed(pad.choose_picture)
    sections.show_prediction = timed(sections.show_prediction)
    sections.show_closer_look = timed(sections.show_closer_look)
    os.chdir(ROOT)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.run()
    app.switch_page("pages/draw/draw.py").run()
    times = []
    for number, picture in enumerate(pictures(n + 5)):
        out = io.BytesIO()
        Image.fromarray(np.dstack([picture] * 3 + [np.full_like(picture, 255)])).save(out, format="PNG")
        url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
        raw = {"objects": [{"type": "Path", "number": number}]}
        app.session_state[f"draw:pad:{app.session_state['draw:mount']}"] = {"drawing": {"raw": raw, "data": url}}
        spent[0] = 0.0
        app.run()
        assert any("draw-first" in html.proto.body for html in app.get("html")), "the page gave no answer"
        times.append(spent[0])
    return times[5:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(machine())
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        browser.new_page().goto("about:blank")
        pad, answer = first_visit(browser, args.rounds)
        with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_, address):
            page = browser.new_page(locale="en-US", viewport={"width": 1440, "height": 900})
            page.goto(f"{address}/draw")
            page.locator(".draw-card[data-kind=empty]").wait_for(timeout=60_000)
            on_page(page, strokes(3))
            shown = on_page(page, strokes(args.strokes))
        browser.close()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNN_DEMO_HOME"] = folder
        own = own_part(args.strokes)
    alone = in_process(250)
    print(f"pointer-up to the new answer: {spread(shown, ' ms', 0)}, 95th percentile {quantile(shown, 0.95):.0f} ms")
    print(verdict("pointer-up to answer, ms, p95", quantile(shown, 0.95), 300, at_least=False))
    print(f"  of it our own code: {spread(own, ' ms', 1)}, 95th percentile {quantile(own, 0.95):.1f} ms")
    print(verdict("own part, ms, p95", quantile(own, 0.95), 40, at_least=False))
    print(f"one prediction in process: {spread(alone, ' ms', 1)}, 95th percentile {quantile(alone, 0.95):.1f} ms")
    print(verdict("prediction in process, ms, p95", quantile(alone, 0.95), 10, at_least=False))
    print(f"first visit until one can draw: {spread(pad, ' s')}; until the first answer: {spread(answer, ' s')}")
    print(verdict("first visit until one can draw, s", sorted(pad)[len(pad) // 2], 2.5, at_least=False))


if __name__ == "__main__":
    main()
