"""The page says its language, and Streamlit's own words are in it: at once, and when Streamlit draws anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]


def test_streamlits_own_words_follow_the_language(visit: Visit) -> None:
    page = visit("/take_away", locale="zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator('[data-testid="stSkipToContent"]')).to_have_text("跳到正文")
    page.get_by_label("主菜单").click()
    expect(page.get_by_role("menuitem", name="打印")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("8 位", exact=False).first.wait_for()
    summary = page.locator("details summary").last
    summary.click()  # number fields are drawn only now
    expect(page.get_by_role("button", name="增大").first).to_be_visible()
    page.get_by_role("radio", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", name="Take away")).to_be_visible()
    expect(page.get_by_label("Main menu")).to_be_visible()
    expect(page.locator('[data-testid="stSkipToContent"]')).to_have_text("Skip to main content")
