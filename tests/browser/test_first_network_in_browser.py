"""Three clicks on the Start page: a digit drawn by hand, a network trained for real, and the look inside."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.strip import load_drawings
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.presets import find_preset
from tests.browser.serving import Server

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)
Visit = Callable[..., Page]
SEVEN = [(80, 70), (200, 72), (150, 150), (115, 230)]
TRAINING_MS = 240_000


def draw(page: Page, points: list[tuple[int, int]]) -> None:
    canvas = page.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=5)
    page.mouse.up()


def own_digit(page: Page) -> Locator:
    """The card with the ten bars of the visitor's digit."""
    return page.locator('.strip[data-part="drawing"] .card.drawn')


def share(page: Page) -> float:
    """The largest of the ten bars, 0 to 1."""
    return float(own_digit(page).evaluate("card => card.style.getPropertyValue('--sure')"))


def train_button(page: Page) -> Locator:
    return page.locator('[class*="st-key-first-train-"] button')


def stop_button(page: Page) -> Locator:
    return page.locator('[class*="st-key-first-stop-"] button')  # Streamlit has one of this name at the top


def newest_run(server: Server) -> Run:
    return server.store().list(limit=1)[0]


def test_draw_train_look_inside(visit: Visit, server: Server) -> None:
    before = server.store().count()
    page = visit("/")
    expect(train_button(page)).to_be_disabled()
    draw(page, SEVEN)
    expect(own_digit(page)).to_have_attribute("aria-label", re.compile(r"Your drawing: read as \d, \d+\.\d%"))
    assert 0.1 <= share(page) < 0.2, "an untrained network guesses"
    expect(page.locator('.strip[data-part="samples"] .card')).to_have_count(10)
    expect(train_button(page)).to_be_enabled()

    train_button(page).dblclick()
    expect(page.locator(".curves")).to_be_visible()
    page.reload()  # it goes on, and the page finds it again
    expect(own_digit(page)).to_be_visible()
    seen = {share(page)}
    deadline = time.monotonic() + TRAINING_MS / 1000
    while not page.locator(".first-said").is_visible():
        assert time.monotonic() < deadline
        seen.add(share(page))
        page.wait_for_timeout(150)
    assert len(seen) > 2, "the bars of her own digit move while the network learns"
    assert server.store().count() == before + 1, "a double click trains one network"
    run = newest_run(server)
    assert run.config == TrainConfig.from_values(find_preset("first").changes)
    assert run.test_accuracy is not None
    assert run.test_accuracy > 0.95
    expect(own_digit(page)).to_have_attribute("aria-label", re.compile("read as 7"))
    assert share(page) > 0.5

    # Back to the beginning: digit and test images go together.
    page.get_by_role("slider", name="Moment of the training").press("Home")
    expect(page.locator('.strip[data-part="drawing"] .head')).to_have_text("Before training: random weights")
    assert share(page) < 0.2
    expect(page.locator('.strip[data-part="samples"] .head b')).to_have_text(re.compile(r"^[0-5] of 10 right"))
    page.get_by_role("slider", name="Moment of the training").press("End")
    expect(page.locator('.strip[data-part="samples"] .head b')).to_have_text(re.compile(r"^([89]|10) of 10 right"))

    # Another digit is read by the trained network at once; the first comes back with its history.
    draw(page, [(60, 200), (220, 200)])
    expect(page.locator('.strip[data-part="drawing"] .head')).to_have_text("Your network, as training left it")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("slider", name="Moment of the training")).to_be_visible()

    # One thing is changed: what it does is to be seen above.
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".pad canvas")).to_be_in_viewport()
    stop_button(page).click()
    expect(page.get_by_text("It was stopped")).to_be_visible()
    page.locator(f'[class*="st-key-first-own-{run.id}"] button:visible').first.click()
    expect(page.locator(".first-said")).to_be_in_viewport()

    # Inside: the same digit in the same network.
    expect(page.locator(".first-maps figure")).to_have_count(3)
    page.locator(".st-key-first-ways").get_by_role("link", name="Feature maps · See every layer").click()
    expect(page.locator("h1")).to_have_text("Feature maps")
    expect(page).to_have_url(re.compile(rf"net={run.id}"))
    expect(page.get_by_text("Last drawing")).to_be_visible()
    page.get_by_role("link", name="Start", exact=True).click()
    expect(own_digit(page)).to_have_attribute("aria-label", re.compile("read as 7"))
    page.locator(".st-key-first-ways").get_by_role("link", name="Draw · Ask why").click()
    expect(page.locator("h1")).to_have_text("Draw")
    expect(page.locator(".draw-card .draw-big")).to_have_text("7")
    expect(page).to_have_url(re.compile(rf"net={run.id}"))


def test_by_keyboard_on_a_phone_and_when_the_training_process_dies(visit: Visit, server: Server) -> None:
    page = visit("/", viewport={"width": 390, "height": 844})
    page.locator(".pad canvas").focus()
    page.keyboard.press("Space")
    for key in ["ArrowDown"] * 12:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    expect(own_digit(page)).to_have_attribute("aria-label", re.compile(r"read as \d"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    train_button(page).press("Enter")
    expect(stop_button(page)).to_be_visible()
    run = newest_run(server)
    assert len(load_drawings(server.store().folder(run.id))) == 1
    while server.store().get(run.id).state is not RunState.RUNNING:
        page.wait_for_timeout(100)
    server.end_workers()
    expect(page.get_by_text("Training broke off")).to_be_visible()
    expect(train_button(page)).to_have_text(re.compile("Try again"))
    page.reload()
    expect(page.get_by_text("Training broke off")).to_be_visible()
    train_button(page).press("Enter")
    expect(stop_button(page)).to_be_visible()
    assert newest_run(server).id != run.id
    stop_button(page).press("Enter")
    expect(page.get_by_text("It was stopped")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
