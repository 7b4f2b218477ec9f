"""Attention in Chromium: pointing needs no message, a pick by pointer or key is said in words and in the address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]
ADDRESS = "/feature_maps?lang=en&sample=3-5&net=untrained:vit-hybrid"


def open_attention(visit: Visit, **options: Any) -> tuple[Page, Locator]:
    page = visit(ADDRESS, **options)
    stage = page.locator(".attention .stage")
    expect(stage).to_be_visible()
    expect(page.locator(".attention .told")).to_contain_text("Asked by: class token")
    expect(page.get_by_text("Which classes it fires for")).to_be_visible()  # the page is at rest
    return page, stage


def point(stage: Locator, y: int, x: int) -> tuple[float, float]:
    """The middle of a token's square, in pixels of the window."""
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) / 7 * box["width"], box["y"] + (y + 0.5) / 7 * box["height"]


def test_pointing_previews_and_a_click_is_said_in_words(visit: Visit) -> None:
    page, stage = open_attention(visit, viewport={"width": 1440, "height": 1300})
    sent: list[Any] = []
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.on("Network.webSocketFrameSent", lambda frame: sent.append(frame))
    page.mouse.move(*point(stage, 3, 5))
    expect(page.locator(".attention .told")).to_contain_text("Asked by: token (3, 5)")
    page.mouse.move(*point(stage, 6, 0))
    expect(page.locator(".attention .told")).to_contain_text("Asked by: token (6, 0)")
    assert sent == []
    page.mouse.click(*point(stage, 3, 5))
    page.mouse.move(0, 0)
    expect(page.locator(".attention .told")).to_contain_text("Asked by: token (3, 5)")
    expect(page.get_by_text("Block 1, mean of all heads, token (3, 5)")).to_be_visible()
    page.wait_for_url(re.compile("attention=0%2C27%2C-1"))  # 27 = 1 + 3 · 7 + 5


def test_heads_keys_and_the_class_token(visit: Visit) -> None:
    page, stage = open_attention(visit, viewport={"width": 390, "height": 844})
    head = page.locator('.attention button[data-head="2"]')
    head.click()
    expect(head).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Block 1, head 3, class token")).to_be_visible()
    stage.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowRight"):
        stage.press(key)  # the first one goes from the class token into the grid
    expect(page.get_by_text("Block 1, head 3, token (0, 1)")).to_be_visible()
    stage.press("Home")
    expect(page.get_by_text("Block 1, head 3, class token")).to_be_visible()
    page.wait_for_url(re.compile("attention=0%2C0%2C2"))
    page.get_by_role("radio", name="Block 3").click()
    expect(page.get_by_text("Block 3, head 3, class token")).to_be_visible()
    wide = page.evaluate(
        "document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth"
    )
    assert wide <= 0


def test_a_unit_of_the_weights_is_taken_apart(visit: Visit) -> None:
    page = visit(ADDRESS + "&unit=blocks.0.attention.weights,2,20,33", viewport={"width": 1440, "height": 1300})
    step = page.locator('.step[data-step="AttentionStep"]')
    expect(step).to_be_visible()
    expect(step).to_contain_text("token (4, 4)")  # 33 = 1 + 4 · 7 + 4
    check = step.locator(".check")
    assert abs(float(check.get_attribute("data-difference") or "nan")) < 1e-6
    stage = page.locator('.stack .stage[data-layer="blocks.0.attention.matmul:2"]')
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    dot = page.locator('.step[data-step="DotStep"]')
    expect(dot).to_be_visible()
    assert abs(float(dot.locator(".check").get_attribute("data-difference") or "nan")) < 1e-5
