"""What stands where on Draw: networks side by side line up, and a phone keeps the answer in sight."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from cnn_demo.settings.config import TrainConfig
from tests.browser.serving import Server
from tests.browser.test_draw_in_browser import draw
from tests.made_networks import put_checkpoint

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]


def edges(element: Locator) -> tuple[float, float]:
    """Top and bottom in the window."""
    box = element.bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"]


def test_rows_of_networks_line_up_and_percentages_name_theirs(visit: Visit, server: Server) -> None:
    store, refs = server.store(), []
    for name in ("Short", "A name so long that it takes more than two lines of its card"):
        run = store.create(TrainConfig(device="cpu"), name=name, owned=True)
        store.change_run(run.id, state="finished", owned=False, step=60)
        put_checkpoint(store, run, seed=len(name), sharp=30)
        refs.append(run.id)
    page = visit(f"/draw?from=sample&sample=3-7&net=shipped,{','.join(refs)}", viewport={"width": 1440, "height": 1000})
    cards = page.locator(".draw-card")
    expect(cards).to_have_count(3)
    # In one look: the page may still move between two.
    below = cards.evaluate_all("all => all.map(card => card.querySelector('header').getBoundingClientRect().bottom)")
    assert max(below) - min(below) < 1
    rows = cards.evaluate_all(
        "all => all.map(card => [...card.querySelectorAll('.draw-row')].map(row => row.getBoundingClientRect().top))"
    )
    assert [len(tops) for tops in rows] == [10, 10, 10]
    for tops in zip(*rows, strict=True):
        assert max(tops) - min(tops) < 1
    said = page.locator("figure[data-stage=centered] .draw-number")
    assert said.all_inner_texts() == ["1", "2", "3"]
    assert said.nth(1).get_attribute("title") == "Short"


def test_a_phone_keeps_the_answer_in_sight(visit: Visit) -> None:
    phone = {"width": 390, "height": 844}
    page = visit("/draw?from=sample&sample=3-7&look=change", viewport=phone, has_touch=True, is_mobile=True)
    brief = page.locator(".draw-brief")
    expect(brief).to_contain_text("3")
    top, bottom = edges(brief)
    assert 0 < top < bottom <= 844  # in the first screen
    last = page.locator(".sliders input").last
    expect(last).to_be_visible()
    last.scroll_into_view_if_needed()
    changed = page.locator(".draw-alone img")
    top, bottom = edges(changed)
    assert 0 <= top < bottom <= edges(last)[0]  # what the slider changes stands above it
    page.locator(".draw-card").scroll_into_view_if_needed()
    assert edges(brief)[1] <= edges(page.locator(".draw-card"))[0]  # it covers no card
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_three_networks_for_clothes_stay_within_their_cards(visit: Visit, server: Server) -> None:
    store, refs = server.store(), []
    for seed in range(3):
        run = store.create(TrainConfig(dataset="fashion-mnist", device="cpu"), owned=True)
        store.change_run(run.id, state="finished", owned=False, step=60)
        put_checkpoint(store, run, seed=seed, sharp=30)
        refs.append(run.id)
    page = visit(f"/draw?net={','.join(refs)}", viewport={"width": 1440, "height": 1000})
    draw(page, [[(60, 60), (220, 60), (140, 240)]])
    cards = page.locator(".draw-card")
    expect(cards).to_have_count(3)
    expect(cards.last).to_contain_text("Entropy")
    beyond = """all => all.flatMap((card) => [...card.querySelectorAll("*")]
        .filter((part) => part.getBoundingClientRect().right > card.getBoundingClientRect().right)
        .map((part) => part.outerHTML.slice(0, 60)))"""
    assert cards.evaluate_all(beyond) == []
