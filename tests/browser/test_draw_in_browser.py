"""Real strokes on the pad, by mouse and by finger, and ten people at once."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.browser.serving import Server
from tests.made_networks import put_checkpoint

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]
Strokes = list[list[tuple[int, int]]]

SEVEN: Strokes = [[(80, 70), (200, 72), (150, 150), (115, 230)]]
FOUR: Strokes = [[(90, 50), (75, 150), (200, 150)], [(170, 60), (165, 240)]]


@pytest.fixture(scope="module")
def network(server: Server) -> str:
    """A network with weights in the server's store; its answers are arbitrary, but its own."""
    store: Store = server.store()
    run = store.create(TrainConfig(device="cpu"), name="Arbitrary", owned=True)
    store.change_run(run.id, state="finished", owned=False, step=60)
    put_checkpoint(store, run, seed=1, sharp=30)
    return run.id


def pad(page: Page) -> Locator:
    canvas = page.locator(".pad canvas")
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    return canvas


def draw(page: Page, strokes: Strokes) -> None:
    box = pad(page).bounding_box()
    assert box is not None
    for stroke in strokes:
        page.mouse.move(box["x"] + stroke[0][0], box["y"] + stroke[0][1])
        page.mouse.down()
        for x, y in stroke[1:]:
            page.mouse.move(box["x"] + x, box["y"] + y, steps=5)
        page.mouse.up()


def touch(page: Page, strokes: Strokes) -> None:
    """Fingers, as Chromium's own protocol sends them."""
    box = pad(page).bounding_box()
    assert box is not None
    protocol = page.context.new_cdp_session(page)
    for stroke in strokes:
        points = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in stroke]
        protocol.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
        for (x0, y0), (x1, y1) in pairwise(stroke):
            for k in range(1, 6):
                at = {"x": box["x"] + x0 + (x1 - x0) * k / 5, "y": box["y"] + y0 + (y1 - y0) * k / 5}
                protocol.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
        protocol.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def ink(page: Page) -> int:
    """Light pixels on the pad as it is shown."""
    script = """async canvas => {
        await new Promise(requestAnimationFrame);
        const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] > 128; return n }"""
    return int(page.locator(".pad canvas").evaluate(script))


def answered(page: Page) -> None:
    expect(page.locator(".draw-card").first).to_have_attribute("data-kind", re.compile("sure|torn|unsure|not_a_digit"))


def test_mouse_strokes_survive_and_can_be_taught(visit: Visit, server: Server, network: str) -> None:
    page = visit(f"/draw?net={network}")
    expect(page.locator(".draw-card")).to_have_attribute("data-kind", "empty")
    draw(page, SEVEN)
    answered(page)
    once = ink(page)
    assert once > 2000
    draw(page, [[(110, 150), (200, 150)]])
    assert ink(page) > once
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".draw-stages figure")).to_have_count(6)
    assert ink(page) == once  # the second stroke is gone, the first is there

    # Another page and another language do not cost the drawing.
    page.get_by_role("link", name="Start").click()
    expect(page.get_by_text("What is trained")).to_be_visible()
    page.get_by_role("link", name="Draw", exact=True).click()
    answered(page)
    page.get_by_role("radio", name="中文").or_(page.get_by_role("button", name="中文")).first.click()
    expect(page.locator("h1")).to_have_text("手写")
    page.get_by_role("radio", name="English").or_(page.get_by_role("button", name="English")).first.click()
    expect(page.locator("h1")).to_have_text("Draw")
    answered(page)
    assert ink(page) == once

    # Why, what if, and the correction.
    page.get_by_text("Why this answer", exact=True).click()
    expect(page.locator(".draw-pair img")).to_have_count(2)
    page.get_by_text("Occlusion", exact=True).click()
    expect(page.locator(".draw-pair[data-method=occlusion] img")).to_have_count(2)
    page.get_by_text("What would change its mind", exact=True).click()
    expect(page.locator("canvas[data-zr-dom-id], .stEChartsChart canvas").first).to_be_visible()
    page.get_by_text("Correct the network", exact=True).click()
    label = page.locator(".st-key-draw-it-was")
    label.get_by_text("7", exact=True).click()
    expect(page.get_by_role("button", name="Keep this drawing")).to_be_enabled()
    page.get_by_role("button", name="Keep this drawing").click()
    expect(page.get_by_text("1 drawing in your collection.")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export").click()
    with zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes())) as archive:
        assert sorted(name.split("/")[0] for name in archive.namelist()) == ["images", "labels.csv"]
    page.get_by_role("button", name="Fine-tune a copy").click()
    expect(page.locator(".draw-card")).to_have_count(2)  # the copy appears beside the original and is followed
    table = page.locator("table", has_text="your drawings, which it was trained on")
    expect(table.get_by_text("100.00%").first).to_be_visible(timeout=180_000)
    newest = server.store().list()[0]
    assert newest.config.init == f"{network}@60"
    page.reload()  # the browser knows its collection, the link knows the networks
    page.get_by_text("Correct the network", exact=True).first.click()
    expect(page.get_by_text("1 drawing in your collection.")).to_be_visible()


def test_sliders_answer_while_they_are_dragged(visit: Visit, network: str) -> None:
    page = visit(f"/draw?net={network}&look=change")
    draw(page, SEVEN)
    answered(page)
    picture = page.locator(".draw-alone img")
    expect(picture).to_be_visible()
    upright = picture.get_attribute("src")
    angle = page.locator("input[data-name=angle]")
    angle.scroll_into_view_if_needed()
    box = angle.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    seen = {upright}
    for share in (0.6, 0.7, 0.8):  # the button stays down
        page.mouse.move(box["x"] + box["width"] * share, y, steps=4)
        expect(picture).not_to_have_attribute("src", re.compile(re.escape((picture.get_attribute("src") or "")[-60:])))
        seen.add(picture.get_attribute("src"))
    assert len(seen) == 4
    page.mouse.up()
    page.wait_for_timeout(500)  # the last value is on its way; on a busy machine the page answers it late
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
    # Another page and back: they stand where they were left.
    left = angle.input_value()
    assert float(left) > 60
    page.get_by_role("link", name="Start").click()
    expect(page.get_by_text("What is trained")).to_be_visible()
    page.get_by_role("link", name="Draw", exact=True).click()
    page.get_by_text("What would change its mind", exact=True).click()
    expect(angle).to_have_value(left)
    page.get_by_role("button", name="As it was").click()
    expect(angle).to_have_value("0")
    expect(page.get_by_text("Before:", exact=False).first).to_be_visible()
    angle.focus()
    page.keyboard.press("ArrowRight")
    expect(angle).to_have_value("5")


def test_fingers_on_a_phone(visit: Visit, network: str) -> None:
    page = visit(f"/draw?net={network}", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page.locator(".draw-card")).to_be_visible()
    touch(page, FOUR)
    answered(page)
    assert ink(page) > 2500
    content, window = page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
    assert content <= window
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator(".draw-card")).to_have_attribute("data-kind", "empty")
    page.wait_for_timeout(300)
    assert ink(page) == 0


def test_ten_at_once_see_only_their_own(visit: Visit, network: str) -> None:
    """Ten browsers, each with a bar of its own length; the picture that came back to each is as long as its bar."""
    pages = [visit(f"/draw?net={network}") for _ in range(10)]
    lengths = [60 + 15 * n for n in range(10)]
    for page, length in zip(pages, lengths, strict=True):
        draw(page, [[(40, 140), (40 + length, 140)]])
    for page, length in zip(pages, lengths, strict=True):
        answered(page)
        crop = page.locator("figure[data-stage=crop] figcaption")  # "Cropped to the ink (78 × 18)"
        expect(crop).to_contain_text("×")
        width = int(re.findall(r"\((\d+) ×", crop.inner_text())[-1])
        assert abs(width - (length + 18)) <= 4
