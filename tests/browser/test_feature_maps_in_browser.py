"""The explorer in Chromium: hover, click, keyboard; the numbers on the page are PyTorch's."""

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


def test_click_pins_and_the_arithmetic_is_pytorchs(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    _model, values = network("cnn")
    for layer, step in (("conv2", "ConvStep"), ("pool1", "PoolStep"), ("conv1", "ConvStep")):
        page.mouse.click(*at(page, layer, 0.63, 0.4))
        title = page.locator(".sums .title")
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


def test_logit_and_softmax(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1300})
    _model, values = network("cnn")
    page.mouse.click(*at(page, "fc2", 0.55, 0.5))
    expect(page.locator('.step[data-step="SoftmaxStep"]')).to_be_visible()
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


def test_a_large_network_asks_the_server(visit: Visit) -> None:
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
    for found in checks(page):
        truth = float(values[found["layer"]][channel, row, column])
        assert found["value"] == pytest.approx(truth, abs=1e-4)
        assert abs(found["difference"]) < 1e-4
    assert [found["layer"] for found in checks(page)] == ["layer3.0.conv1", "layer3.0.bn1", "layer3.0.relu"]


def test_a_link_shows_what_its_sender_saw(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn&unit=conv2,20,6,6", viewport={"width": 390, "height": 844})
    expect(page.locator(".sums .title")).to_contain_text("conv2, channel 20, unit (6, 6)")
    wide = page.evaluate(
        "document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth"
    )
    assert wide <= 0  # nothing sticks out to the right on a telephone


def test_downloads(visit: Visit) -> None:
    page = visit(ADDRESS + "cnn", viewport={"width": 1440, "height": 1800})
    page.get_by_role("button", name="Download").click()
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".npz", b"PK")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=re.compile(re.escape(ending) + "$")).click()
        path = waiting.value.path()
        assert path.read_bytes().startswith(start)
        assert waiting.value.suggested_filename.endswith(ending)
