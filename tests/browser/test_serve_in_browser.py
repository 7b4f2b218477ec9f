"""The page of the HTTP service in Chromium: a picture that is chosen there is answered there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from cnn_demo.serve.limits import Limits
from cnn_demo.serve.service import Service
from tests.unit.serve.served import RunningServer, digit_png, holding, serve_network

pytestmark = pytest.mark.browser


@pytest.fixture
def running() -> Iterator[RunningServer]:
    with RunningServer(Service(holding(serve_network()), limits=Limits(rate=0))) as made:
        yield made


def test_a_picture_is_tried_on_the_page(running: RunningServer, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(running.url)
    file = page.get_by_label("A picture")
    answer = page.get_by_role("status")
    file.set_input_files({"name": "seven.png", "mimeType": "image/png", "buffer": digit_png()})
    expect(answer).to_have_text("7, >99.9%, sure", timeout=30_000)
    file.set_input_files({"name": "text.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(answer).to_have_text("the upload is no PNG or JPEG that can be read", timeout=30_000)
    expect(page.locator("pre")).to_contain_text(f"{running.url}/predict")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
