"""Claims: while the pen moves the bars follow within 100 ms (95th percentile) for one visitor; of it our own code takes
40 ms; one prediction in process at most 10 ms; 2.5 s from the first visit of the page until one can draw.

The page: headless Chromium draws digits with the mouse. The page's own clock runs from a pointer-move event to the
frame after the change of the answer's card; movements come one at a time, so that each has an answer of its own. The
same is measured with ten visitors who move their pens at once, in ten windows of the same browser on the same machine
(their painting is in the figure). Our own code: the same fragment in this process (AppTest), only the time inside its
three parts (pad, answer, closer look). In process: preparation, one forward pass of all stages, and the judgment.
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
  const state = window.bench = { moved: 0, answered: 0 };
  addEventListener('pointermove', (event) => {
    if (event.buttons) { before = card(); state.moved = performance.now(); state.answered = 0; }
  }, true);
  new MutationObserver(() => {
    if (before === null || !card() || card() === before) return;
    before = null;
    requestAnimationFrame(() => { state.answered = performance.now(); });
  }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}"""
# Milliseconds from the last movement to its answer; null where the bars did not change within half a second.
ANSWERED = """async () => {
  const until = performance.now() + 500;
  while (!window.bench.answered && performance.now() < until) await new Promise(requestAnimationFrame);
  return window.bench.answered ? window.bench.answered - window.bench.moved : null;
}"""
PAUSE = 120  # milliseconds between an answer and the next movement


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


def place_pen(page: Page, path: PenPath) -> list[tuple[float, float]]:
    """Put the pen down at the beginning of a path; the places of the rest."""
    canvas = page.locator(".pad canvas")
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    points = [(box["x"] + x, box["y"] + y) for x, y in path.tolist()]
    page.mouse.move(*points[0])
    page.mouse.down()
    return points[1:]


def stroke(page: Page, path: PenPath) -> None:
    """Draw with the mouse."""
    for x, y in place_pen(page, path):
        page.mouse.move(x, y)
    page.mouse.up()


def follow_pens(pages: list[Page], paths: list[PenPath]) -> list[float]:
    """Milliseconds from each movement of each pen to the changed bars; all pens move at once, then all are awaited."""
    for page in pages:
        page.evaluate(WATCH)
    times: list[float] = []
    for number in range(0, len(paths) - len(pages) + 1, len(pages)):
        rest = [place_pen(page, path) for page, path in zip(pages, paths[number:], strict=False)]
        for moment in range(min(map(len, rest))):
            for page, points in zip(pages, rest, strict=True):
                page.mouse.move(*points[moment])
            found = [page.evaluate(ANSWERED) for page in pages]
            times += [took for took in found if took is not None]
            pages[0].wait_for_timeout(PAUSE)
        for page in pages:
            page.mouse.up()
            page.wait_for_timeout(300)
            page.get_by_role("button", name="Clear", exact=True).click()
            page.locator(".draw-card[data-kind=empty]").wait_for()
    return times


def first_visit(browser: Browser, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from going to the page on a fresh server until the pad is there, and until a stroke has an answer."""
    pad, answer = [], []
    for path in strokes(rounds):
        with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_, address):
            page = browser.new_page(locale="en-US", viewport={"width": 1440, "height": 900})
            began = time.perf_counter()
            page.goto(f"{address}/draw", wait_until="commit")
            page.locator(".pad canvas").wait_for(timeout=30_000)
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
        app.session_state[pad.PAD] = {"drawn": {"seq": number + 1, "png": url}}
        spent[0] = 0.0
        app.run()
        assert any("draw-first" in html.proto.body for html in app.get("html")), "the page gave no answer"
        times.append(spent[0])
    return times[5:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=int, default=20, help="of one visitor; ten at once draw two each")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(machine())
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        browser.new_page().goto("about:blank")
        pad, answer = first_visit(browser, args.rounds)
        with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_, address):
            pages = [browser.new_page(locale="en-US", viewport={"width": 1440, "height": 900}) for _ in range(10)]
            for page in pages:
                page.goto(f"{address}/draw")
                page.locator(".draw-card[data-kind=empty]").wait_for(timeout=60_000)
            follow_pens(pages[:1], strokes(2))
            alone = follow_pens(pages[:1], strokes(args.strokes))
            together = follow_pens(pages, strokes(20))
        browser.close()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNN_DEMO_HOME"] = folder
        own = own_part(60)
    predicted = in_process(250)
    for who, times in (("one visitor", alone), ("ten at once", together)):
        print(f"pen to bars, {who}: {spread(times, ' ms', 0)}, 95th percentile {quantile(times, 0.95):.0f} ms")
    print(verdict("pen to bars, one visitor, ms, p95", quantile(alone, 0.95), 100, at_least=False))
    print(f"  of it our own code: {spread(own, ' ms', 1)}, 95th percentile {quantile(own, 0.95):.1f} ms")
    print(verdict("own part, ms, p95", quantile(own, 0.95), 40, at_least=False))
    print(
        f"one prediction in process: {spread(predicted, ' ms', 1)}, 95th percentile {quantile(predicted, 0.95):.1f} ms"
    )
    print(verdict("prediction in process, ms, p95", quantile(predicted, 0.95), 10, at_least=False))
    print(f"first visit until one can draw: {spread(pad, ' s')}; until the first answer: {spread(answer, ' s')}")
    print(verdict("first visit until one can draw, s", sorted(pad)[len(pad) // 2], 2.5, at_least=False))


if __name__ == "__main__":
    main()
