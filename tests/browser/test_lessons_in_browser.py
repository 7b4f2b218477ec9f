"""A walk through all lessons in both languages at random settings: what is displayed is what torch computed."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from cnn_demo.lessons.contents import CHAPTERS, load_lesson
from cnn_demo.lessons.controls import Choice, draw_random_values, read_values, write_values
from cnn_demo.lessons.lesson import Subject
from cnn_demo.lessons.panels import Bars, Cell, Curves, Graph, Grid, Panel, Table, Text, Window
from cnn_demo.lessons.words import Words, write_number
from cnn_demo.locales import load_catalog
from cnn_demo.prediction.load import load_model
from cnn_demo.settings.reference import SHIPPED_REF
from tests.browser.serving import Server, until
from tests.browser.test_learn_in_browser import image_of

Visit = Callable[..., Page]
NAMES = [chapter.name for chapter in CHAPTERS]
LANGUAGES = {"en-US": "en", "zh-CN": "zh_CN"}


def written(cell: Cell, translate: Callable[[str], str]) -> str:
    """A cell of a table as the page must show it."""
    if isinstance(cell, Words):
        return cell.fill(translate)
    if isinstance(cell, float) and cell.is_integer():
        return write_number(int(cell))
    return write_number(cell) if isinstance(cell, int | float) else cell


@pytest.mark.parametrize("locale", list(LANGUAGES))
@pytest.mark.parametrize("name", NAMES)
def test_what_is_displayed_is_what_torch_computed(name: str, locale: str, visit: Visit, server: Server) -> None:
    lesson, stream = load_lesson(name), random.Random(f"walk {name} {locale}")
    link = write_values(lesson.controls, draw_random_values(lesson.controls, stream))
    values, wrong = read_values(lesson.controls, link)
    assert wrong == []
    subject = Subject(image=image_of(3, 4), network=load_model(SHIPPED_REF, server.store()))
    scene = lesson.show(subject, values)
    translate = load_catalog(LANGUAGES[locale]).gettext
    address = "/learn?" + urlencode({"lesson": name, "sample": "3-4", "net": "shipped", **link})
    page = visit(address, locale=locale, viewport={"width": 1440, "height": 1300})
    expect(page.locator(".lesson-stage[data-ready]").first).to_be_visible()
    for row in scene.rows:
        for panel in row:
            check_panel(page, panel, translate)


def check_panel(page: Page, panel: Panel, translate: Callable[[str], str]) -> None:
    box = page.locator(f'.panel[data-panel="{panel.name}"]')
    expect(box).to_be_visible()
    if panel.title.text:
        expect(box.locator("h4")).to_have_text(panel.title.fill(translate))
    if isinstance(panel, Table):
        shown = [line.locator("td").all_inner_texts() for line in box.locator("tbody tr").all()]
        assert shown == [[written(cell, translate) for cell in cells] for cells in panel.rows]
    elif isinstance(panel, Bars):
        assert box.locator("li > b").all_inner_texts() == [written(bar.value, translate) for bar in panel.bars]
    elif isinstance(panel, Grid) and panel.numbers:
        cells = box.locator("td input").all()
        shown_cells = [cell.input_value() for cell in cells] or box.locator("td").all_inner_texts()
        digits = 3 if cells else 4
        assert shown_cells == [write_number(float(value), digits) for value in panel.values.flatten()]
    elif isinstance(panel, Grid):
        label = box.locator("canvas").first.get_attribute("aria-label") or ""
        for number in (panel.values.min(), panel.values.max()):
            assert write_number(float(number)) in label
    elif isinstance(panel, Window):
        assert box.locator(".running").inner_text() == write_number(float(panel.running[panel.at][-1]))
        terms = box.locator("figure").last.locator("td").all_inner_texts()
        assert terms == [write_number(float(term), 3) for term in panel.terms[panel.at]]
    elif isinstance(panel, Graph):
        assert box.locator("text.value").all_text_contents() == [write_number(node.value) for node in panel.nodes]
        slopes = [f"∂ {write_number(node.gradient)}" for node in panel.nodes if node.gradient is not None]
        assert box.locator("text.slope").all_text_contents() == slopes
    elif isinstance(panel, Curves):
        label = box.locator("svg").get_attribute("aria-label") or ""
        for line in panel.lines:
            assert write_number(float(line.y[-1])) in label
    elif isinstance(panel, Text):
        assert box.locator("p").all_inner_texts() == [line.fill(translate) for line in panel.lines]


@pytest.mark.parametrize("name", NAMES)
def test_on_a_telephone_nothing_sticks_out(name: str, visit: Visit) -> None:
    page = visit(f"/learn?lesson={name}", viewport={"width": 390, "height": 844}, color_scheme="dark")
    expect(page.locator(".lesson-stage[data-ready]").first).to_be_visible()
    wide = page.evaluate(
        "document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth"
    )
    assert wide <= 0


def test_a_training_is_watched_and_stopped(visit: Visit) -> None:
    page = visit("/learn?lesson=residual", viewport={"width": 1440, "height": 1300})
    page.get_by_role("button", name="Train with and without").click()
    expect(page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.locator('.panel[data-panel="losses"]')).to_be_visible()
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Once more")).to_be_visible()
    title = page.locator('.panel[data-panel="losses"] h4')
    expect(title).to_contain_text("of 500 test images of mnist-mini")


def test_from_a_pinned_unit_to_the_lesson_and_back(visit: Visit) -> None:
    page = visit("/feature_maps?net=shipped&sample=3-4&unit=conv1,5,10,12", viewport={"width": 1440, "height": 1300})
    way = page.get_by_role("link", name="Slide this window yourself")
    way.scroll_into_view_if_needed()
    way.click()
    expect(page.locator("h1")).to_contain_text("One convolution")
    window = page.locator('.panel[data-panel="window"]')
    expect(window.locator("h4")).to_contain_text("conv1, channel 5, unit (10, 12)")
    expect(window.locator(".where")).to_have_text("row 10, column 12")
    value = window.locator("h4").inner_text().rsplit(" ", 1)[-1]
    assert window.locator(".result").inner_text() == value
    page.get_by_role("link", name="In your network").click()
    expect(page.locator("h1")).to_contain_text("Feature maps")


def test_every_input_channel_of_a_pinned_unit_can_be_looked_at(visit: Visit) -> None:
    address = "/learn?lesson=convolution&kernel=unit&unit=conv2,20,6,6&net=untrained:cnn&sample=3-4&rank="
    parts = []
    for rank in (1, 2):
        page = visit(f"{address}{rank}", viewport={"width": 1440, "height": 1300})
        expect(page.get_by_text("Input channel, the strongest first")).to_be_visible()
        expect(page.get_by_text("Stride", exact=True)).to_have_count(0)
        bar = page.locator('.panel[data-panel="channels"] li').nth(rank - 1)
        result = page.locator('.panel[data-panel="window"] .result').inner_text()
        assert bar.locator("b").inner_text() == result
        parts.append(float(result.replace("−", "-")))
    assert abs(parts[0]) > abs(parts[1])


def test_on_a_phone_the_ways_to_elsewhere_follow_the_stage(visit: Visit) -> None:
    page = visit("/learn?lesson=convolution", viewport={"width": 390, "height": 844})
    names = (".st-key-lesson-controls", ".lesson-stage", ".st-key-lesson-ways")

    def is_in_order() -> bool:
        tops = [box["y"] for name in names if (box := page.locator(name).first.bounding_box())]
        return len(tops) == len(names) and tops == sorted(tops)

    until(is_in_order)  # the stage is drawn before the page around it is whole


def test_every_option_of_every_lesson_can_be_read_in_its_box(visit: Visit) -> None:
    """The boxes are narrow at 1440 pixels; what a box cannot hold is cut off."""
    texts = [
        load_catalog(code).gettext(words)
        for code in ("en", "zh_CN")
        for name in NAMES
        for control in load_lesson(name).controls
        if isinstance(control, Choice)
        for words in control.options.values()
    ]
    page = visit("/learn?lesson=transformer", viewport={"width": 1440, "height": 900})
    box = page.locator(".stSelectbox input").first
    measure = """(box, texts) => {
      const style = getComputedStyle(box), pen = document.createElement("canvas").getContext("2d");
      pen.font = style.font;
      const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      return texts.filter((text) => pen.measureText(text).width > room);
    }"""
    assert box.evaluate(measure, texts) == []
    assert box.evaluate(measure, ["a text that is certainly too long for it"]) != []
