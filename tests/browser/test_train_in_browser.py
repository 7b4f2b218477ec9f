"""A visitor trains a network: launch, watch, reload, stop, resume, download, come back."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from safetensors.torch import load

from cnn_demo.models.registry import create_model
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.strip import StripWriter, WatchedPicture, keep_pictures
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import Watched
from tests.browser.serving import Server, until

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]


def newest(server: Server) -> Run:
    return server.store().list()[0]


def launch(page: Page, *, clicks: int = 1) -> None:
    page.get_by_role("button", name="Start training").click(click_count=clicks, delay=20)


def curve_points(page: Page) -> int:
    """Train, stop, epochs: what the step counter in the progress line says."""
    text = page.get_by_text("· step").first.inner_text()
    return int(text.split("step ")[1].split(" of ")[0].replace(",", ""))


def end(page: Page, server: Server) -> None:
    """Leave no run behind that holds the device."""
    run = newest(server)
    if run.state.active:
        server.store().stop(run.id)
        until(lambda: newest(server).state.ended)


def test_a_wrong_number_is_named_at_its_field_and_a_comma_is_a_decimal_point(visit: Visit, server: Server) -> None:
    page = visit("/train", "zh-CN")
    page.set_default_timeout(15_000)
    known = {run.id for run in server.store().list()}
    epochs = page.get_by_label("轮数", exact=True)
    start = page.get_by_role("button", name="开始训练")
    for wrong in ("0", "1001", "-3"):
        expect(start).to_be_enabled()
        epochs.fill(wrong)
        start.click()  # takes the focus from the field, which sends it, and asks for the launch with it
        expect(page.get_by_role("alert").filter(has_text=wrong)).to_contain_text("轮数")
        named = page.get_by_test_id("stCaptionContainer").filter(
            has_text=re.compile(rf"(?<!\d){wrong} (cannot|不可用)")
        )
        expect(named).to_be_visible()
        expect(start).to_be_disabled()
        epochs.fill("3")
        epochs.press("Enter")
    expect(start).to_be_enabled()
    assert {run.id for run in server.store().list()} == known

    page.get_by_text("高级设置", exact=True).click()
    rate = page.get_by_label("学习率", exact=True)
    rate.fill("")
    rate.press_sequentially("0,02")
    expect(rate).to_have_value("0.02")
    rate.fill("")
    rate.evaluate(
        """(field) => {
            const data = new DataTransfer();
            data.setData("text", "0,015");
            field.focus();
            field.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    rate.press("Enter")
    expect(rate).to_have_value("0.015")
    expect(start).to_be_enabled()
    assert page.get_by_role("alert").count() == 0


def test_launch_watch_reload_stop_resume_download(visit: Visit, server: Server) -> None:
    page = visit("/train")
    page.get_by_label("Epochs", exact=True).fill("30")
    page.get_by_label("Epochs", exact=True).press("Enter")
    launch(page)
    expect(page.get_by_text("Starting").or_(page.get_by_text("Waiting for the device")).first).to_be_visible()
    run = newest(server)
    assert run.config == TrainConfig(epochs=30)
    expect(page).to_have_url(f"{server.url}/train?run={run.id}")

    # The curve grows by itself.
    expect(page.get_by_text("· step").first).to_be_visible()
    first = curve_points(page)
    until(lambda: curve_points(page) > first)
    assert page.locator(".curves svg").count() == 2

    # Beside it, what the network makes of a test image of each class.
    expect(page.locator(".strip .card")).to_have_count(10)

    # Another tab, and this one reloaded, find the run where it is.
    other = visit(f"/train?run={run.id}")
    expect(other.get_by_text("· step").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("· step").first).to_be_visible()
    assert curve_points(page) >= first

    # Pause holds it, resume lets it go on, stop ends it with a checkpoint.
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Ended early.")).to_be_visible()
    expect(other.get_by_text("Ended early.")).to_be_visible()  # the other tab noticed by itself
    stopped = newest(server)
    assert stopped.state is RunState.STOPPED

    # The weights of the newest checkpoint are a state_dict of this very model.
    weights = download(page, "Weights · .safetensors")
    model = create_model("cnn")
    model.load_state_dict(load(weights))
    plain = torch.load(io.BytesIO(download(page, "Weights · .pt")), weights_only=True)
    assert all(torch.equal(value, plain[name]) for name, value in model.state_dict().items())
    csv = download(page, "Metrics · .csv").decode()
    assert len(csv.strip().splitlines()) == 1 + stopped.step
    assert download(page, "Curves · .png").startswith(b"\x89PNG")
    assert b"<svg" in download(page, "Curves · .svg")[:1000]

    # It goes on from where it stopped.
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resume").click()
    until(lambda: newest(server).step > stopped.step)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    end(page, server)


def test_polls_leave_alone_what_a_visitor_did(visit: Visit, server: Server) -> None:
    page = visit("/train")
    page.get_by_label("Epochs", exact=True).fill("40")
    page.get_by_label("Epochs", exact=True).press("Enter")
    launch(page)
    expect(page.get_by_text("· step").first).to_be_visible()
    # Files and views are there as soon as there is something to see.
    expect(page.locator("[data-testid=stPopoverButton]", has_text="Download")).to_be_visible()
    expect(page.locator("[data-testid=stPopoverButton]", has_text="View")).to_be_visible()
    until(lambda: curve_points(page) >= 20)

    # The field opens with the rate that holds, and what was set is told.
    page.locator("[data-testid=stPopoverButton]", has_text="Learning rate").click()
    field = page.get_by_role("spinbutton", name="New learning rate")
    expect(field).to_have_value("0.001")
    field.fill("0.0005")
    field.press("Enter")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("learning rate 0.001 → 0.0005")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-testid=stPopoverButton]", has_text="Learning rate").click()
    expect(field).to_have_value("0.0005")
    page.keyboard.press("Escape")

    # A hidden line stays hidden, the figures stay under a resting pointer.
    loss = page.locator(".curves").first
    loss.get_by_role("button", name="Train").click()
    expect(loss.locator("path[data-role=train]")).to_have_count(0)
    other = page.locator(".curves").nth(1)
    other.scroll_into_view_if_needed()  # the mouse reaches only what is in the window
    box = other.locator("svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.35, box["y"] + 120)
    tip = other.locator(".tip")
    expect(tip).to_contain_text("smoothed")
    assert re.search(r"Epoch [\d.]+ · Step \d+", tip.inner_text())
    step = curve_points(page)
    until(lambda: curve_points(page) > step)
    page.wait_for_timeout(1600)  # one poll more
    expect(tip).to_be_visible()
    expect(loss.locator(".tip")).to_be_hidden()  # all that it could tell is hidden
    expect(loss.locator("path[data-role=train]")).to_have_count(0)

    # A part that is zoomed into stays, on both charts, till it is left.
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 120, steps=4)
    page.mouse.up()
    reset = page.get_by_role("button", name="Show all")
    expect(reset).to_have_count(2)
    page.wait_for_timeout(1600)
    expect(reset).to_have_count(2)
    reset.first.click()
    expect(reset).to_have_count(0)

    # The keyboard reaches the figures too.
    other.locator("svg").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(other.locator(".said")).to_contain_text("Train")

    # Back leads to the form, Forward to the run.
    page.go_back()
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    page.go_forward()
    expect(page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.get_by_role("link", name="Start").click()
    expect(page.locator("h1")).to_have_text("CNN Lab")
    page.get_by_role("link", name="Train", exact=True).click()
    expect(
        page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)
    ).to_be_visible()  # another page is no Back
    end(page, server)


def download(page: Page, name: str) -> bytes:
    button = page.get_by_role("button", name=name)
    if not button.is_visible():
        page.locator("[data-testid=stPopoverButton]", has_text="Download").click()
    with page.expect_download() as waiting:
        button.click()
    return waiting.value.path().read_bytes()


def test_double_click_launches_once(visit: Visit, server: Server) -> None:
    page = visit("/train")
    page.get_by_role("button", name="Quick look").click()
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("1")
    before = len(server.store().list())
    launch(page, clicks=2)
    expect(page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.wait_for_timeout(1500)  # a second launch would have come by now
    assert len(server.store().list()) == before + 1
    # It ends by itself, says so, and stops asking.
    expect(page.get_by_text("Finished.").first).to_be_visible()
    frames: list[object] = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda frame: frames.append(frame)))
    page.reload()
    expect(page.get_by_text("Finished.").first).to_be_visible()
    page.wait_for_timeout(1000)
    settled = len(frames)
    page.wait_for_timeout(3000)
    assert len(frames) == settled


def test_run_survives_the_server(visit: Visit, server: Server) -> None:
    page = visit("/train")
    page.get_by_label("Epochs", exact=True).fill("40")
    page.get_by_label("Epochs", exact=True).press("Enter")
    launch(page)
    expect(page.get_by_text("· step").first).to_be_visible()
    run = newest(server)
    server.stop()
    step = server.store().get(run.id).step
    server.start()
    again = visit(f"/train?run={run.id}")  # the very first page that this server shows
    expect(again.get_by_text("· step").first).to_be_visible()
    expect(again.locator("[role=dialog]")).to_have_count(0)  # "Page not found" was put away
    assert again.get_by_text("Page not found").count() == 0
    assert again.url.split("?")[0].endswith("/train")
    expect(again.get_by_role("link", name="Draw", exact=True)).to_be_visible()
    until(lambda: server.store().get(run.id).step > step)
    end(again, server)


def test_what_is_open_stays_open_in_the_first_visit_of_a_server(visit: Visit, server: Server) -> None:
    server.stop()
    server.start()
    page = visit("/train")
    page.get_by_text("Advanced").click()
    batch = page.locator("[data-testid=stNumberInput]").filter(has_text="Batch size").locator("input")
    batch.fill("64")
    batch.press("Enter")
    page.wait_for_timeout(1500)  # the form would be made anew, and shut, by now
    expect(batch).to_be_visible()
    expect(batch).to_have_value("64")
    page.get_by_label("Epochs", exact=True).fill("3")
    page.get_by_label("Epochs", exact=True).press("Enter")
    page.wait_for_timeout(1500)
    expect(batch).to_be_visible()


def test_language_switch_keeps_the_form_and_the_link(visit: Visit, server: Server) -> None:
    page = visit("/train", locale="zh-CN")
    expect(page.locator("h1")).to_have_text("训练")
    page.get_by_label("数据集", exact=True).click()
    page.get_by_role("option", name="Kuzushiji").click()
    page.get_by_label("轮数", exact=True).fill("7")
    page.get_by_label("轮数", exact=True).press("Enter")
    page.get_by_role("radio", name="English").or_(page.get_by_role("button", name="English")).first.click()
    expect(page.locator("h1")).to_have_text("Train")
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("7")
    expect(page.get_by_label("Data set", exact=True)).to_have_value(re.compile("^Kuzushiji-MNIST: 70,000"))
    assert "lang=en" in page.url
    page.get_by_role("link", name="Start").click()
    expect(page.locator("h1")).to_have_text("CNN Lab")
    expect(page.get_by_text("What is trained")).to_be_visible()
    page.wait_for_url("**lang=en*")
    other = visit("/" + page.url.split("/", 3)[3], locale="zh-CN")
    expect(other.get_by_text("What is trained")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_no_choice_of_the_form_is_cut_off(visit: Visit, width: int) -> None:
    page = visit("/train", viewport={"width": width, "height": 900})
    page.get_by_text("Advanced").first.click()
    boxes = page.locator(".stSelectbox input")
    expect(boxes.nth(3)).to_be_attached()
    cut = "all => all.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.value)"
    assert boxes.evaluate_all(cut) == []


def test_phone_shows_everything_without_scrolling_sideways(visit: Visit) -> None:
    for path in ("/", "/train"):
        page = visit(path, viewport={"width": 390, "height": 844})
        page.wait_for_timeout(1500)
        widths = "() => [document.documentElement.scrollWidth, window.innerWidth]"
        content, window = page.evaluate(widths)
        assert content <= window


def test_a_learning_rate_is_found_and_taken(visit: Visit) -> None:
    page = visit("/train")
    page.get_by_text("Advanced").click()
    page.get_by_role("button", name="Find a learning rate").click()
    take = page.get_by_role("button", name=re.compile(r"^Take \d"))
    expect(take).to_be_visible(timeout=180_000)
    suggested = take.inner_text().split()[-1]
    assert 1e-6 < float(suggested) < 1
    rate = page.get_by_role("spinbutton", name="Learning rate")
    take.click()
    expect(rate).to_have_value(suggested)
    plot = page.get_by_test_id("stEChartsChart").last
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] * 0.35, "y": box["height"] * 0.5})
    expect(rate).not_to_have_value(suggested)
    assert 1e-6 < float(rate.input_value()) < float(suggested)


def test_one_goes_through_a_training_that_has_ended(visit: Visit, server: Server) -> None:
    store = server.store()
    run = store.create(TrainConfig(epochs=1))
    store.change_run(run.id, state=RunState.FINISHED.value, step=40, total_steps=40, epoch=1.0)
    image = np.full((28, 28, 1), 200, np.uint8)
    keep_pictures(store.folder(run.id), [WatchedPicture(image, -1, drawn=True), WatchedPicture(image, 7, drawn=False)])
    writer = StripWriter(store.folder(run.id), 40)
    for step in range(41):
        logits = torch.zeros(2, 10)
        logits[:, 2 if step < 20 else 7] = step / 5  # a 2 before step 20, a 7 from there on
        kernels = torch.full((16, 1, 5, 5), -1.0 if step < 20 else 1.0)
        writer.add(Watched(step, step / 40, logits.softmax(dim=1), kernels))
    seven = torch.softmax(torch.tensor([8.0] + [0.0] * 9), dim=0)[0].item()

    page = visit(f"/train?run={run.id}")
    strip, slider = page.locator(".strip"), page.get_by_role("slider", name="Moment of the training")
    drawn, known = strip.locator(".card.drawn"), strip.locator(".card:not(.drawn)")
    percent = f"{seven:.1%}"
    expect(known).to_have_attribute("aria-label", f"7: read as 7, {percent}, right")
    expect(drawn).to_have_attribute("aria-label", f"Your drawing: read as 7, {percent}")
    bars, read = strip.locator(".card.drawn .bars i"), "bars => bars.map((bar) => parseFloat(bar.style.height))"
    rest = 100 * (1 - seven) / 9
    wanted = pytest.approx([rest] * 7 + [100 * seven] + [rest] * 2, rel=1e-3)
    until(lambda: bars.evaluate_all(read) == wanted)  # the cards may just be made anew
    color = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data].slice(0, 3)"
    filters = strip.locator(".filters canvas")
    assert filters.evaluate(color) == [103, 0, 31]  # the largest weight

    # By keyboard back to the weights before training, and through all of it by the button.
    slider.focus()
    page.keyboard.press("Home")
    expect(strip).to_contain_text("Before training")
    expect(known).to_have_class(re.compile(r"\bwrong\b"))
    assert filters.evaluate(color) == [5, 48, 97]
    page.get_by_role("button", name="Play the training").click()
    expect(slider).to_have_attribute("aria-valuetext", re.compile("1 of 1 right, Step 40"))
    expect(page.get_by_role("button", name="Play the training")).to_be_visible()


def test_long_names_of_classes_stay_whole_within_their_cards(visit: Visit, server: Server) -> None:
    store = server.store()
    run = store.create(TrainConfig(dataset="fashion-mnist", epochs=1))
    store.change_run(run.id, state=RunState.FINISHED.value, step=1, total_steps=1, epoch=1.0)
    pictures = [WatchedPicture(np.zeros((28, 28, 1), np.uint8), label, drawn=False) for label in range(10)]
    keep_pictures(store.folder(run.id), pictures)
    sure = torch.eye(10) * 20  # ">99.9%" is the longest percentage
    writer = StripWriter(store.folder(run.id), 1)
    for step in range(2):
        writer.add(Watched(step, float(step), sure.softmax(dim=1), torch.zeros(16, 1, 5, 5)))

    page = visit(f"/train?run={run.id}", viewport={"width": 1440, "height": 900})
    cards = page.locator(".strip .card")
    expect(cards).to_have_count(10)
    expect(cards.last).to_contain_text(">99.9%")
    broken = """cards => cards.filter((card) => {
        const name = card.querySelector("b"), percent = card.querySelector(".says span");
        const edge = card.getBoundingClientRect().right, line = parseFloat(getComputedStyle(name).lineHeight);
        return name.getBoundingClientRect().height > 1.5 * line || name.scrollWidth > name.clientWidth
            || percent.getBoundingClientRect().right > edge;
    }).map((card) => card.innerText)"""
    assert cards.evaluate_all(broken) == []
