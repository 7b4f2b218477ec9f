"""A real server and a real Chromium. Training runs are real too, and short."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.serving import Server
from tests.ensure_chromium import find, in_ci

ARGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find()
    if path is None:
        if in_ci():
            pytest.fail("no Chromium, and CI must not skip the browser tests", pytrace=False)
        pytest.skip("no Chromium here: run `python tests/ensure_chromium.py`")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGS + root)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("browser") / "runs")
    running.start()
    yield running
    running.stop()
    running.end_workers()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Open a page of the app as a new visitor; what goes wrong in the browser fails the test."""
    contexts = []
    foreign: list[str] = []

    def open_page(path: str = "/", locale: str = "en-US", **options: Any) -> Page:
        context = browser.new_context(locale=locale, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda r: foreign.append(r.url) if not is_local(r.url, server.url) else None)
        page.goto(server.url + path)
        page.locator("h1").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert foreign == [], "the page asked the network for something"


def is_local(url: str, base: str) -> bool:
    return url.startswith((base, base.replace("http", "ws"), "data:", "blob:"))
