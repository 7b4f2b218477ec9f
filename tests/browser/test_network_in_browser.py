"""The whole network on one screen: hovering, choosing, running the image through, a phone, pictures to keep."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from cnn_demo.runs.records import RunState
from cnn_demo.settings.config import TrainConfig
from tests.browser.serving import Server
from tests.made_networks import put_checkpoint

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]
READY = "/feature_maps?net=untrained:cnn"
COUNT_MESSAGES = """() => {
  const send = WebSocket.prototype.send;
  window.sent = 0;
  WebSocket.prototype.send = function (...all) { window.sent += 1; return send.apply(this, all); };
}"""


def open_network(visit: Visit, path: str = READY, **options: object) -> Page:
    page = visit(path, **{"viewport": {"width": 1440, "height": 900}, **options})
    page.locator(".net .map").first.wait_for()
    return page


def test_a_map_lights_what_feeds_it_without_a_message(visit: Visit) -> None:
    page = open_network(visit)
    page.locator(".stack .layer").first.wait_for()
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_timeout(500)  # nothing moves under the pointer any more
    page.evaluate(COUNT_MESSAGES)
    conv2 = page.locator(".net .column[data-column='conv2'] .map")
    for place in (0, 1, 2):
        conv2.nth(place).hover()
        expect(conv2.nth(place)).to_have_class("map here")
        lines = page.locator(".net .columns > svg path")
        assert lines.count() > 3
        parts = [float(text) for text in lines.evaluate_all("all => all.map((line) => line.dataset.part)")]
        widths, colors = (
            lines.evaluate_all(f"all => all.map((line) => line.getAttribute('{name}'))")
            for name in ("stroke-width", "stroke")
        )
        strongest = max(range(len(parts)), key=lambda i: abs(parts[i]))
        assert float(widths[strongest]) == max(map(float, widths))
        assert all((color == "#dc2626") == (part < 0) for color, part in zip(colors, parts, strict=True))
        told = page.locator(".net .tell li")
        expect(told).to_have_count(5)  # four channels by name, and the others as one sum
        assert "the other 28 channels of pool1" in told.last.inner_text()
    # A pooling carries one channel on: one line, from the channel of the same number.
    pooled = page.locator(".net .column[data-column='pool1'] .map").nth(1)
    pooled.hover()
    channel = pooled.get_attribute("data-channel")
    fed = page.locator(".net .map.feeds")
    assert [fed.nth(i).get_attribute("data-channel") for i in range(fed.count())] == [channel]
    assert page.evaluate("window.sent") == 0


def test_a_click_opens_the_arithmetic_of_that_unit(visit: Visit) -> None:
    page = open_network(visit)
    page.locator(".stack .layer").first.wait_for()
    chosen = page.locator(".net .column[data-column='conv2'] .map").nth(2)
    channel = chosen.get_attribute("data-channel")
    box = chosen.bounding_box()
    assert box is not None
    chosen.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    expect(page.locator(".sums .title")).to_contain_text(f"conv2, channel {channel}, unit (7, 7)")
    expect(page).to_have_url(re.compile(f"unit=conv2(,|%2C){channel}(,|%2C)7(,|%2C)7"))


def test_by_keyboard(visit: Visit) -> None:
    page = open_network(visit)
    first = page.locator(".net .column[data-column='input'] .map")
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    second = page.locator(".net .column[data-column='conv1'] .map").nth(1)
    expect(second).to_be_focused()
    expect(second).to_have_class("map here")
    page.keyboard.press("Enter")
    channel = second.get_attribute("data-channel")
    expect(page.locator(".sums .title")).to_contain_text(f"conv1, channel {channel}, unit (")
    page.keyboard.press("Escape")
    expect(second).to_have_class("map")


def test_the_image_runs_through_only_when_it_is_asked_to(visit: Visit) -> None:
    page = open_network(visit)
    ahead = page.locator(".net .column.ahead")
    assert ahead.count() == 0
    play = page.locator(".net [data-do=play]")
    play.click()
    expect(page.locator(".net .column.now")).to_have_attribute("data-column", "conv1")
    play.click()  # it stops where it is
    expect(play).to_have_attribute("aria-pressed", "false")
    page.locator(".net [data-do=back]").click()
    page.locator(".net [data-do=back]").click()
    expect(page.locator(".net .at")).to_contain_text("1 of")
    for _ in range(12):
        page.locator(".net [data-do=next]").click()
    expect(ahead).to_have_count(0)


def test_pictures_are_whole(visit: Visit) -> None:
    page = open_network(visit)
    with page.expect_download() as svg:
        page.locator(".net [data-do=svg]").click()
    text = svg.value.path().read_text("utf-8")
    assert svg.value.suggested_filename == "network-untrained-cnn.svg"
    assert text.count("<image") == page.locator(".net .map").count()
    assert ">conv2<" in text
    with page.expect_download() as png:
        page.locator(".net [data-do=png]").click()
    assert png.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_on_a_phone_a_map_is_enlarged_first(visit: Visit) -> None:
    page = open_network(visit, viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator(".stack .layer").first.wait_for()
    chosen = page.locator(".net .column[data-column='conv1'] .map").nth(1)
    channel = chosen.get_attribute("data-channel")
    chosen.tap()
    big = page.locator(".net .tell .big canvas")
    box = big.bounding_box()
    assert box is not None
    assert box["width"] > 150  # a unit is large enough for a finger
    assert page.locator(".sums .title").count() == 0
    page.touchscreen.tap(box["x"] + box["width"] * 0.52, box["y"] + box["height"] * 0.52)
    expect(page.locator(".sums .title")).to_contain_text(f"conv1, channel {channel}, unit (14, 14)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_block_is_unfolded_and_the_link_says_so(visit: Visit) -> None:
    page = open_network(visit, "/feature_maps?net=untrained:resnet18")
    folded = page.locator(".net .column").count()
    page.locator(".net .fold").first.click()
    expect(page.locator(".net [data-do=fold]")).to_be_visible()
    assert page.locator(".net .column").count() > folded
    assert "block=layer1.0" in page.url
    page.locator(".net [data-do=fold]").click()
    expect(page.locator(".net .column")).to_have_count(folded)


def test_long_names_of_classes_leave_the_bars_in_line(visit: Visit, server: Server, tmp_path: Path) -> None:
    store = server.store()
    run = store.create(TrainConfig(dataset="fashion-mnist", device="cpu"))
    store.change_run(run.id, state=RunState.FINISHED.value, step=1, total_steps=1, epoch=1.0)
    put_checkpoint(store, run)
    Image.fromarray(np.tri(28, dtype=np.uint8) * 255).save(tmp_path / "triangle.png")

    page = visit(f"/feature_maps?net={run.id}", viewport={"width": 1440, "height": 900})
    page.get_by_text("Upload", exact=True).click()
    page.locator(".picture-field input[type=file]").set_input_files(tmp_path / "triangle.png")
    tracks = page.locator(".net .answers .track")
    expect(tracks).to_have_count(10)
    assert "Ankle boot" in page.locator(".net .answers").inner_text()
    assert len(set(tracks.evaluate_all("all => all.map((track) => track.getBoundingClientRect().left)"))) == 1
    # Where names are too long for the maps of the last layer, all of them have their numbers.
    numbers = page.locator(".net .column[data-column='fc2'] .map i").all_inner_texts()
    assert sorted(numbers) == [str(number) for number in range(10)]
