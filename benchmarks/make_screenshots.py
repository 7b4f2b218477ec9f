"""Make the README's pictures from the app itself: a real run on mnist-mini, photographed in headless Chromium.

``python -m benchmarks.make_screenshots`` writes ``benchmarks/screenshots/*.png``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.bench_app import open_chromium
from benchmarks.common import server
from cnn_demo.runs import launcher
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig

DIGIT = [(90, 75), (140, 52), (185, 85), (132, 132), (190, 180), (140, 230), (84, 205)]  # a 3, on a pad of 280 pixels
FOLDER = Path(__file__).resolve().parent / "screenshots"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_, address), sync_playwright() as playwright:
        store = Store(Path(folder))
        run = launcher.launch(store, TrainConfig(epochs=4), name="First run")
        while (now := store.get(run.id)).epoch < 3.4 and not now.state.ended:
            time.sleep(0.2)
        browser = open_chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", locale="en-US")
        page.goto(f"{address}/train?run={run.id}")
        page.get_by_text("Test accuracy").first.wait_for()
        page.wait_for_timeout(3000)
        page.screenshot(path=FOLDER / "train.png")
        while not store.get(run.id).state.ended:
            time.sleep(0.2)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light", locale="en-US")
        page.goto(address)
        photograph_first_network(page)
        browser.close()


def photograph_first_network(page: Page) -> None:
    """Go through the three steps of the Start page."""
    pad = page.locator(".pad canvas")
    pad.wait_for()
    box = pad.bounding_box()
    assert box is not None
    for number, (x, y) in enumerate(DIGIT):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    page.locator('.strip[data-part="samples"]').wait_for(timeout=60_000)
    page.locator('[class*="st-key-first-train-"] button').click()
    page.locator(".first-maps").wait_for(timeout=180_000)
    page.mouse.move(5, 5)
    page.wait_for_timeout(3000)
    page.screenshot(path=FOLDER / "start.png")


if __name__ == "__main__":
    main()
