"""The table of layers in Chromium: figures come while one types, a click mends a problem, what is built trains."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]


def open_builder(visit: Visit) -> Page:
    page = visit("/train")
    page.get_by_test_id("stSelectbox").nth(1).locator("input").click()
    page.keyboard.type("Your own")
    page.get_by_role("option", name="Your own layers").click()
    expect(page.locator("tr.row").first).to_contain_text("16 × 28 × 28")
    return page


def row(page: Page, number: int) -> Locator:
    return page.locator("tr.row:has(.acts button)").nth(number - 1)


def type_into(page: Page, number: int, name: str, text: str) -> None:
    field = row(page, number).locator(f"[data-name={name}]")
    field.click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def test_figures_come_while_one_types_and_the_cursor_stays(visit: Visit) -> None:
    page = open_builder(visit)
    type_into(page, 1, "channels", "24")
    expect(row(page, 1)).to_contain_text("24 × 28 × 28")
    expect(row(page, 4)).to_contain_text("24 × 14 × 14")
    field = row(page, 1).locator("[data-name=channels]")
    assert field.evaluate("field => field.getRootNode().activeElement === field")
    expect(field).to_have_value("24")


def test_a_problem_is_at_its_row_and_mended_by_a_click(visit: Visit) -> None:
    page = open_builder(visit)
    type_into(page, 4, "kernel", "30")
    problem = page.locator("td.problem:visible")
    expect(problem).to_contain_text("Layer 4 must be a window that fits")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    problem.get_by_role("button", name="Nearest that works: Window = 28").click()
    expect(row(page, 4)).to_contain_text("16 × 1 × 1")
    expect(row(page, 4).locator("[data-name=kernel]")).to_have_value("28")


def test_layers_are_moved_inserted_and_removed(visit: Visit) -> None:
    page = open_builder(visit)
    row(page, 3).get_by_title("Move up").click()
    expect(row(page, 2).locator(".kind")).to_have_value("relu")
    row(page, 1).get_by_title("Insert a layer below").click()
    row(page, 2).locator(".kind").select_option("se")
    expect(row(page, 2)).to_contain_text("148")  # 2 · 16 · 4 + 4 + 16 parameters
    while page.locator("tr.row:has(.acts button)").count() > 1:
        row(page, 2).get_by_title("Remove").click()
    page.get_by_text("As text, and as PyTorch code").click()
    expect(page.get_by_label("Layers", exact=True)).to_have_value("v1; conv channels=16")
    page.get_by_label("Layers", exact=True).fill("v1; conv channels=4 stride=2; se")
    page.keyboard.press("Enter")
    expect(row(page, 2).locator(".kind")).to_have_value("se")
    expect(page.locator("code")).to_contain_text('("se1", SEBlock(4, 1))')


def test_what_is_built_trains_and_is_opened_in_feature_maps(visit: Visit) -> None:
    page = open_builder(visit)
    page.get_by_text("As text, and as PyTorch code").click()
    page.get_by_label("Layers", exact=True).fill("v1; conv channels=4 stride=4; batch-norm; relu; residual; se")
    page.keyboard.press("Enter")
    expect(row(page, 5).locator(".kind")).to_have_value("se")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("finished").first).to_be_visible(timeout=90_000)
    page.goto(page.url.replace("/train", "/feature_maps").replace("run=", "net="))
    for name in ("conv1", "norm1", "block1.conv2", "logits"):
        expect(page.locator(".ribbon button", has_text=name).first).to_be_visible()


def test_it_starts_from_a_registered_model(visit: Visit) -> None:
    page = open_builder(visit)
    page.get_by_role("button", name="Start from a model").click()
    page.get_by_text("LeNet-5", exact=True).click()
    expect(row(page, 2).locator(".kind")).to_have_value("tanh")
    expect(page.locator("tr.total")).to_contain_text("61,706")
