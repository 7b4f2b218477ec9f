"""Claims: first heading within 2 s of ``streamlit run``, "starting" within 0.5 s of the click, the first point of the
curve within 6 s cold and 2 s once warm, at most 250 MB of memory before torch is needed.

Headless Chromium looks at a fresh server each time. Cold: the click is the first thing that needs torch, and the
standby worker is not yet ready.
Warm: a standby worker waits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.common import machine, server, spread, verdict, wait_until_healthy
from cnn_demo.runs import launcher
from cnn_demo.runs.store import Store

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def open_chromium(playwright: Playwright) -> Browser:
    """Debian's Chromium where it is, else Playwright's own."""
    path = "/usr/bin/chromium"
    return playwright.chromium.launch(args=CHROMIUM, executable_path=path if os.path.exists(path) else None)


def heading(page: Page, address: str, began: float) -> float:
    """Seconds from ``began`` until the first heading is on the page."""
    wait_until_healthy(address)
    page.goto(address, wait_until="commit")
    page.wait_for_selector("h1", timeout=30_000)
    return time.perf_counter() - began


def launch(page: Page, store: Store) -> tuple[float, float]:
    """Click "Start training"; seconds until the page answers, and until it shows the first step."""
    page.get_by_role("button", name="Start training").wait_for(timeout=30_000)
    known = {run.id for run in store.list()}
    began = time.perf_counter()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Starting").first.or_(page.get_by_text("Waiting for the device").first).first.wait_for(
        timeout=30_000
    )
    said = time.perf_counter() - began
    page.get_by_text("step 1 of").or_(page.locator("text=/step [1-9]/").first).first.wait_for(timeout=60_000)
    shown = time.perf_counter() - began
    for run in store.list():
        if run.id not in known:
            store.stop(run.id)
            while not store.get(run.id).state.ended:
                time.sleep(0.05)
    return said, shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(machine())
    headings, bare, memory, said, cold, warm = [], [], [], [], [], []
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        browser.new_page().goto("about:blank")
        for _round in range(args.rounds):
            with tempfile.TemporaryDirectory() as folder:
                plain = Path(folder) / "plain.py"
                plain.write_text('import streamlit as st\n\nst.title("A bare page")\n', encoding="utf-8")
                began = time.perf_counter()
                with server(Path(folder), wait=False, app=plain) as (_, address):
                    page = browser.new_page(locale="en-US")
                    bare.append(heading(page, address, began))
                    page.close()
                began = time.perf_counter()
                with server(Path(folder), wait=False) as (process, address):
                    page = browser.new_page(locale="en-US")
                    headings.append(heading(page, address, began))
                    time.sleep(3)
                    memory.append(psutil.Process(process.pid).memory_info().rss / 1e6)
                    store = Store(Path(folder))
                    page.goto(f"{address}/train")
                    first = launch(page, store)
                    said.append(first[0])
                    cold.append(first[1])
                    page.goto(f"{address}/train")
                    launcher.warm(store)
                    while not launcher.standby_alive(store):
                        time.sleep(0.05)
                    time.sleep(6)  # the standby has imported torch
                    second = launch(page, store)
                    said.append(second[0])
                    warm.append(second[1])
                    page.close()
        browser.close()
    print(f"first heading after `streamlit run`: {spread(headings, ' s')}; of a bare page: {spread(bare, ' s')}")
    print(f"  ours against the bare page: {spread([a / b for a, b in zip(headings, bare, strict=True)], ' ×')}")
    print(verdict("first heading, s", statistics.median(headings), 2.0, at_least=False))
    print(f"memory of the server, nobody training: {spread(memory, ' MB', 0)}")
    print(verdict("memory, MB", max(memory), 250, at_least=False))
    print(f"click to an answer on the page: {spread(said, ' s')}")
    print(verdict("click to answer, s", statistics.median(said), 0.5, at_least=False))
    print(f"click to the first step on the page: cold {spread(cold, ' s')}, warm {spread(warm, ' s')}")
    print(verdict("first point cold, s", statistics.median(cold), 6.0, at_least=False))
    print(verdict("first point warm, s", statistics.median(warm), 2.0, at_least=False))


if __name__ == "__main__":
    main()
