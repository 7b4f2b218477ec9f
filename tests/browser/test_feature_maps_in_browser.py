"""The explorer in Chromium: a hover stays in the browser, a click brings the arithmetic from the server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, WebSocket, expect
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.inspect.architecture import layers
from cnn_demo.inspect.capture import capture
from cnn_demo.models.registry import create_model
from tests.browser.serving import settled_box, until

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]
ADDRESS = "/feature_maps?lang=en&sample=3-5&net=untrained:"


def network(name: str) -> tuple[nn.Module, dict[str, Tensor]]:
    """The page's network and image, and what PyTorch makes of it."""
    torch.manual_seed(0)
    model = create_model(name).eval()
    data = load_dataset("mnist-mini")
    index = (data.test.labels == 3).nonzero()[5]
    with capture(model) as maps:
        maps(normalize(data.test.images[index], data.spec))
        return model, {layer: value[0] for layer, value in maps.items()}


def at(page: Page, layer: str, x: float, y: float) -> tuple[float, float]:
    """A point of a layer's picture, in pixels of the window; shares of its width and height."""
    stage = page.locator(f'.stack .stage[data-layer="{layer}"]')
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def unit(page: Page) -> tuple[str, int, int, int]:
    """The unit that the page says the pointer is at."""
    text = page.locator(".readout p").first.inner_text()
    found = re.fullmatch(r"(\S+) · channel (\d+) · row (\d+), column (\d+)", text)
    assert found, text
    return found[1], int(found[2]), int(found[3]), int(found[4])


def checks(page: Page) -> list[dict[str, Any]]:
    rows: list[dict[str, str]] = page.locator(".check").evaluate_all("all => all.map(e => ({...e.dataset}))")
    return [{**row, **{k: float(row[k]) for k in ("value", "captured", "difference")}} for row in rows]


DRAWN = "canvas => canvas.toDataURL()"
# Clicks on a layer's picture and gives what the panel says before any answer can have arrived.
CLICK = """
(layer) => {
  const roots = [...document.querySelectorAll('*')].map((e) => e.shadowRoot).filter(Boolean);
  const stage = roots.flatMap((r) => [...r.querySelectorAll(`.stack .stage[data-layer="${layer}"]`)])[0];
  const box = stage.getBoundingClientRect();
  const [clientX, clientY] = [box.left + 0.63 * box.width, box.top + 0.4 * box.height];
  stage.dispatchEvent(new MouseEvent('click', { clientX, clientY, bubbles: true, composed: true }));
  const panel = roots.flatMap((r) => [...r.querySelectorAll('.sums')])[0];
  return [panel.querySelector('.title').textContent, panel.getAttribute('aria-busy')];
}
"""


def received(page: Page) -> list[int]:
    """Grows by the bytes of each message from the server, from now on."""
    sizes: list[int] = []
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.on(
        "Network.webSocketFrameReceived", lambda frame: sizes.append(len(frame["response"]["payloadData"]) * 3 // 4)
    )
    return sizes


def test_hover_shows_value_and_receptive_field_without_a_message(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    sent: list[Any] = []
    expect(page.get_by_text("Which classes it fires for")).to_be_visible()  # the page is at rest
    x, y = at(page, "conv2", 0.3, 0.21)
    model, values = network("cnn")
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.on("Network.webSocketFrameSent", lambda frame: sent.append(frame))
    for step in range(30):
        page.mouse.move(x + 5 * step, y + 3 * step)
    page.mouse.move(x, y)
    expect(page.locator(".readout .big")).to_be_visible()
    layer, channel, row, column = unit(page)
    shown = float(page.locator(".readout .big").get_attribute("data-value") or "nan")
    assert layer == "conv2"
    assert shown == pytest.approx(float(values["conv2"][channel, row, column]), abs=1e-5)
    field = next(found.field for found in layers(model, (1, 28, 28)) if found.name == "conv2")
    top, left, bottom, right = field.inside(row, column)
    expect(page.locator(".readout")).to_contain_text(
        f"Sees rows {top} to {bottom - 1}, columns {left} to {right - 1} of the input."
    )
    expect(page.locator(".reads h4")).to_have_text("What it reads: pool1")
    # The lit part of the input: transparent inside, dimmed outside.
    alpha = page.locator(".side .stage > canvas:last-child").first.evaluate(
        "(canvas, [x, y]) => canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3]",
        [(left + right) / 2 / 28, (top + bottom) / 2 / 28],
    )
    assert alpha == 0
    assert sent == []
    assert sockets == []


def test_click_brings_the_arithmetic_of_the_server(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    expect(page.get_by_text("Which classes it fires for")).to_be_visible()
    _model, values = network("cnn")
    for layer, step in (("conv2", "ConvStep"), ("pool1", "PoolStep"), ("conv1", "ConvStep")):
        page.mouse.click(*at(page, layer, 0.63, 0.4))
        title = page.locator(".sums:not([aria-busy]) .title")
        expect(title).to_contain_text(f"{layer}, channel")
        name, channel, row, column = unit(page)
        expect(page.locator(f'.step[data-step="{step}"]')).to_be_visible()
        rows = checks(page)
        assert rows[0]["layer"] == name == layer
        for found in rows:
            truth = float(values[found["layer"]][channel, row, column])
            assert found["captured"] == pytest.approx(truth, abs=1e-5)
            assert abs(found["difference"]) < 1e-5
            assert found["value"] == pytest.approx(truth, abs=1e-5)
        page.wait_for_url(re.compile(rf"unit={layer}%2C{channel}%2C{row}%2C{column}"))
    expect(page.get_by_role("spinbutton", name="Channel, of 32")).to_have_value(str(channel))  # the panels follow


def test_a_click_is_answered_at_once_and_the_maps_stay_where_they_are(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv1,0,3,3", viewport={"width": 1440, "height": 900})
    expect(page.locator(".sums:not([aria-busy]) .title")).to_contain_text("conv1, channel 0, unit (3, 3)")
    expect(page.get_by_text("Which classes it fires for")).to_be_visible()
    stage = page.locator('.layer[data-layer="conv2"] .stage')
    stage.scroll_into_view_if_needed()
    settled_box(stage)
    top = "() => document.querySelector('.stMain').scrollTop"
    before, sizes = page.evaluate(top), received(page)
    for layer in ("conv2", "relu2", "pool1"):
        title, busy = page.evaluate(CLICK, layer)
        assert re.fullmatch(rf"{layer}, channel \d+, unit \(\d+, \d+\): …", title)
        assert busy == "true"
        expect(page.locator(".sums:not([aria-busy]) .title")).to_contain_text(title.removesuffix("…"))
        expect(page.locator(f'.check[data-layer="{layer}"]')).to_be_visible()
        assert abs(page.evaluate(top) - before) <= 2  # a sheet of another height may round
    page.wait_for_timeout(500)  # the rest of the page
    maps = 4 * sum(value.numel() for name, value in network("cnn")[1].items() if value.dim() == 3)
    assert 0 < sum(sizes) < maps / 2  # all three answers together are smaller than the maps once


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_page_scrolls_and_the_numbers_stand_at_its_lower_edge(visit: Visit, size: tuple[int, int]) -> None:
    width, height = size
    page = visit(ADDRESS + "cnn", viewport={"width": width, "height": height})
    inner = "stack => [getComputedStyle(stack).overflowY, stack.scrollHeight - stack.clientHeight]"
    expect(page.locator(".stack .stage").first).to_be_visible()
    assert page.locator(".stack").evaluate(inner) == ["visible", 0]  # no scrolling within the page
    page.locator('.ribbon button[data-layer="conv2"]').click()
    stage = page.locator('.stack .stage[data-layer="conv2"]')
    expect(stage).to_be_in_viewport()
    page.wait_for_timeout(900)  # the smooth scroll
    box = stage.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.3 * box["width"], max(box["y"], 70) + 30)
    sums = page.locator(".sums:not([aria-busy])")
    expect(sums.locator(".title")).to_contain_text("conv2, channel")
    place = sums.bounding_box()
    assert place is not None
    assert place["y"] + place["height"] == pytest.approx(height, abs=2)
    assert place["height"] <= 0.43 * height
    if width > 720:
        ribbon = page.locator(".ribbon.stuck").bounding_box()
        assert ribbon is not None
        assert ribbon["y"] == pytest.approx(60, abs=2)
        expect(page.locator(".readout .big")).to_be_in_viewport()
    page.get_by_role("button", name="What this channel has learnt").click()
    expect(page.get_by_role("heading", name="What a channel has learnt")).to_be_in_viewport()
    sums.get_by_role("button", name="Let the unit go").evaluate("button => button.click()")
    expect(page.locator(".sums .title")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("unit="))


def test_hundreds_of_maps_are_folded_until_one_of_them_is_wanted(visit: Visit) -> None:
    page = visit(ADDRESS + "resnet18", viewport={"width": 1440, "height": 900})
    first, deep, last = (
        page.locator(f'.layer[data-layer="{name}"]') for name in ("conv1", "layer3.0.conv1", "layer4.0.conv1")
    )
    expect(last).to_be_attached()
    tall = "section => section.querySelector('.stage').clientHeight"
    assert first.evaluate(tall) > 400  # 64 maps are not folded
    assert deep.evaluate(tall) == last.evaluate(tall) == 300
    deep.get_by_role("button", name="Show all 256").click()
    assert deep.evaluate(tall) > 1000
    stage = page.locator('.stack .stage[data-layer="layer4.0.conv1"]')
    stage.focus()
    stage.press("ArrowRight")
    assert last.evaluate(tall) == 300  # this unit is in sight

    def reach_the_last() -> bool:
        stage.press("End")  # the first key after maps have arrived anew shows the cursor only
        return int(last.evaluate(tall)) > 1000

    until(reach_the_last)


def test_what_was_unfolded_stays_while_the_page_runs_again(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv2,20,6,6", viewport={"width": 1440, "height": 1300})
    page.get_by_role("button", name="Show all 32").click()
    expect(page.locator(".card")).to_have_count(32)
    order = page.get_by_role("combobox", name="Order of channels")
    order.press("ArrowDown")
    order.press("ArrowDown")
    order.press("Enter")
    expect(order).not_to_have_value("number")
    page.wait_for_timeout(500)
    expect(page.locator(".card")).to_have_count(32)
    expect(page.locator(".sums .title")).to_contain_text("conv2, channel 20, unit (6, 6)")


def test_logit_and_softmax(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    _model, values = network("cnn")
    page.mouse.click(*at(page, "fc2", 0.55, 0.5))
    expect(page.locator('.step[data-step="SoftmaxStep"]')).to_be_visible()
    expect(page.locator(".sums .title")).to_contain_text("fc2, feature 5")
    linear, softmax = checks(page)
    assert linear["value"] == pytest.approx(float(values["fc2"][5]), abs=1e-5)
    assert softmax["value"] == pytest.approx(float(torch.softmax(values["fc2"], 0)[5]), abs=1e-6)
    expect(page.locator('.step[data-step="LinearStep"] tr')).to_have_count(1 + 12 + 2)


def test_keyboard(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    stage = page.locator('.stack .stage[data-layer="conv1"]')
    stage.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "PageDown", "PageDown", "PageUp"):
        stage.press(key)
    assert unit(page) == ("conv1", 1, 1, 2)  # the first key shows the cursor where it is
    stage.press("Enter")
    expect(page.locator(".sums .title")).to_contain_text("conv1, channel 1, unit (1, 2)")
    page.wait_for_url(re.compile("unit=conv1%2C1%2C1%2C2"))
    stage = page.locator('.stack .stage[data-layer="conv1"]')
    stage.press("Escape")
    expect(page.locator(".sums .title")).to_have_count(0)


def test_a_large_network_sends_its_maps_as_bytes_and_its_arithmetic_exactly(visit: Visit) -> None:
    page = visit(ADDRESS + "resnet18", viewport={"width": 1440, "height": 1300})
    _model, values = network("resnet18")
    expect(page.locator(".stack .stage")).to_have_count(21)  # twenty convolutions and the linear layer
    page.locator('.ribbon button[data-layer="layer3.0.conv1"]').click()
    expect(page.locator('.stack .stage[data-layer="layer3.0.conv1"]')).to_be_in_viewport()
    page.wait_for_timeout(600)  # the smooth scroll
    page.mouse.click(*at(page, "layer3.0.conv1", 0.4, 0.1))
    expect(page.locator('.step[data-step="NormStep"]')).to_be_visible()
    name, channel, row, column = unit(page)
    assert name == "layer3.0.conv1"
    expect(page.locator(".readout .big")).to_contain_text("≈")
    for found in checks(page):
        truth = float(values[found["layer"]][channel, row, column])
        assert found["value"] == pytest.approx(truth, abs=1e-4)
        assert abs(found["difference"]) < 1e-4
    assert [found["layer"] for found in checks(page)] == ["layer3.0.conv1", "layer3.0.bn1", "layer3.0.relu"]


def test_pointing_at_a_number_shows_the_single_multiplication(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv2,20,6,6", viewport={"width": 1440, "height": 1300})
    card = page.locator(".card").first
    told = card.locator("header span").inner_text()
    patch, kernel, products = (card.locator("table.cells").nth(number).locator("td").nth(4) for number in range(3))
    kernel.hover()
    for cell in (patch, kernel, products):  # the same place in all three
        expect(cell).to_have_class("pointed")
    expect(card.locator("td.pointed")).to_have_count(3)
    factors = [float(cell.get_attribute("title").replace("−", "-")) for cell in (patch, kernel)]  # type: ignore[union-attr]
    said = card.locator("header span").inner_text().replace("−", "-").replace("×", "=").split("=")
    assert [float(part) for part in said[:2]] == pytest.approx(factors, rel=1e-3)
    assert float(said[2]) == pytest.approx(factors[0] * factors[1], rel=2e-3, abs=1e-6)
    page.locator(".sums .title").hover()
    expect(card.locator("td.pointed")).to_have_count(0)
    expect(card.locator("header span")).to_have_text(told)


def test_on_a_phone_the_input_stays_above_the_maps(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv2,20,6,6", viewport={"width": 390, "height": 844})
    maps = page.locator('.layer[data-layer="pool2"] .stage')
    maps.scroll_into_view_if_needed()
    expect(page.locator(".side .stage[role=img]")).to_be_in_viewport()
    expect(page.locator(".side .readout")).to_contain_text("conv2 · channel 20")
    above, below = page.locator(".side").bounding_box(), maps.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] < below["y"] + below["height"]
    assert above["height"] < 140


def test_padding_is_no_data_and_a_feature_has_no_place(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv1,0,0,5", viewport={"width": 1440, "height": 1300})
    step = page.locator('.step[data-step="ConvStep"]')
    expect(step).to_contain_text("Hatched: 3 of 9 places lie in the padding around the map")
    expect(step).to_contain_text("Cross-correlation: a 3 × 3 patch of input, first value at (-1, 4)")
    tables = step.locator("table.cells")
    for number, hatched in ((0, 3), (1, 0), (2, 3)):  # patch, kernel, products
        expect(tables.nth(number).locator("td")).to_have_count(9)
        expect(tables.nth(number).locator("td.outside")).to_have_count(hatched)
    page = visit(ADDRESS + "resnet-small&unit=fc,3,0,0", viewport={"width": 1440, "height": 1300})
    linear = page.locator('.step[data-step="LinearStep"]')
    expect(linear).to_be_visible()
    assert "(0, 0)" not in linear.inner_text()
    page = visit(ADDRESS + "resnet-small&unit=pool,3,0,0", viewport={"width": 1440, "height": 1300})
    expect(page.locator(".sums .title")).to_contain_text("pool, feature 3: ")


def test_a_link_shows_what_its_sender_saw(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv2,20,6,6", viewport={"width": 390, "height": 844})
    expect(page.locator(".sums:not([aria-busy]) .title")).to_contain_text("conv2, channel 20, unit (6, 6)")
    expect(page.locator('.step[data-step="ConvStep"]')).to_be_visible()
    wide = page.evaluate(
        "document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth"
    )
    assert wide <= 0  # nothing sticks out to the right on a telephone


def test_the_maps_follow_while_the_image_is_moved(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    picture = page.locator('.stack .stage[data-layer="conv1"] canvas').first
    expect(picture).to_be_visible()
    page.get_by_text("Move the image and watch the maps follow").click()
    angle = page.locator("input[data-name=angle]")
    angle.scroll_into_view_if_needed()
    box = settled_box(angle)  # once the box around it has unfolded
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    seen = [picture.evaluate(DRAWN)]
    for share in (0.65, 0.8):  # the button stays down
        page.mouse.move(box["x"] + box["width"] * share, y, steps=4)
        until(lambda: picture.evaluate(DRAWN) != seen[-1])
        seen.append(picture.evaluate(DRAWN))
    page.mouse.up()
    assert len(set(seen)) == 3
    page.get_by_role("button", name="As it was").click()
    expect(angle).to_have_value("0")
    until(lambda: picture.evaluate(DRAWN) == seen[0])


def test_downloads(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1800})
    button = page.get_by_role("button", name="Download", exact=True)
    expect(page.locator(".layer canvas").first).to_be_visible()  # what is above the button has its height
    press = "button => { button.scrollIntoView({ block: 'center' }); button.click(); }"
    button.evaluate(press)  # a mouse would miss it while the page above it still grows
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".npz", b"PK")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=re.compile(re.escape(ending) + "$")).evaluate(press)
        path = waiting.value.path()
        assert path.read_bytes().startswith(start)
        assert waiting.value.suggested_filename.endswith(ending)
