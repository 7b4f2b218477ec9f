"""The lessons in a real browser: pointing, painting, typing, playing, and what is displayed against torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from playwright.sync_api import Locator, Page, Position, expect
from torch.nn import functional as F

from cnn_demo.datasets.load import load_dataset

Visit = Callable[..., Page]
SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
WIDE = {"width": 1440, "height": 1300}


def image_of(label: int, number: int) -> torch.Tensor:
    """The test image of that class and number, (1, 28, 28) uint8."""
    split = load_dataset("mnist-mini", download=False).test
    place = torch.nonzero(split.labels == label)[number].item()
    return split.images[int(place)]


def sample(label: int, number: int) -> torch.Tensor:
    """The same, (28, 28) in [0, 1]."""
    return image_of(label, number)[0].float() / 255


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def close(shown: str, value: float) -> bool:
    """Whether four displayed digits are those of the value."""
    return abs(number(shown) - value) <= max(6e-4 * abs(value), 1e-6)


def panel(page: Page, name: str) -> Locator:
    return page.locator(f'.panel[data-panel="{name}"]')


def point(picture: Locator, row: int, column: int, size: int) -> Position:
    for _look in range(100):
        box = picture.bounding_box()  # None while its panel is drawn anew
        if box is not None:
            return {"x": (column + 0.5) * box["width"] / size, "y": (row + 0.5) * box["height"] / size}
        picture.page.wait_for_timeout(50)
    raise AssertionError("the picture is not on the page")


def test_pointing_at_an_output_shows_its_products_and_its_sum(visit: Visit) -> None:
    page = visit("/learn?lesson=convolution&sample=3-4", viewport=WIDE)
    image = sample(3, 4)
    expected = F.conv2d(image[None, None], SOBEL[None, None])[0, 0]
    picture = panel(page, "output").locator(".picture")
    for row, column in ((8, 11), (15, 14), (25, 0)):
        picture.hover(position=point(picture, row, column, 26))
        window = panel(page, "window")
        expect(window.locator(".where")).to_have_text(f"row {row}, column {column}")
        assert close(window.locator(".result").inner_text(), float(expected[row, column]))
        products = [number(text) for text in window.locator("figure").nth(2).locator("td").all_inner_texts()]
        wanted = (image[row : row + 3, column : column + 3] * SOBEL).flatten().tolist()
        assert products == pytest.approx(wanted, rel=6e-3, abs=1e-4)  # three digits are shown


def test_the_window_is_moved_by_keys_and_kept_in_the_address(visit: Visit) -> None:
    page = visit("/learn?lesson=convolution&sample=3-4&at=100", viewport=WIDE)
    where = panel(page, "window").locator(".where")
    expect(where).to_have_text("row 3, column 22")
    picture = panel(page, "output").locator(".picture")
    picture.hover(position=point(picture, 10, 10, 26))
    expect(where).to_have_text("row 10, column 10")
    page.mouse.move(2, 2)  # the page may still move under a resting mouse, which would point elsewhere
    picture.focus()
    page.keyboard.press("ArrowRight")
    expect(where).to_have_text("row 10, column 11")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"at=271"))  # 10 · 26 + 11
    page.reload()
    expect(where).to_have_text("row 10, column 11")


def test_typing_into_the_kernel_and_painting_change_the_output(visit: Visit) -> None:
    page = visit("/learn?lesson=convolution&sample=3-4", viewport=WIDE)
    cell = panel(page, "kernel").locator("input").first
    cell.fill("0,5")
    cell.press("Enter")
    expect(page).to_have_url(re.compile("cells=0.5"))
    own = SOBEL.clone()
    own[0, 0] = 0.5
    picture = panel(page, "input").locator(".picture")
    page.get_by_role("button", name="Empty").click()
    expect(page).to_have_url(re.compile("painted=0{784}"))
    picture.click(position=point(picture, 5, 7, 28))
    expect(page).to_have_url(re.compile("painted=0*f0*"))
    digits = parse_qs(urlsplit(page.url).query)["painted"][0]
    assert [place for place, digit in enumerate(digits) if digit != "0"] == [5 * 28 + 7]
    output = panel(page, "output").locator(".picture")
    output.hover(position=point(output, 5, 7, 26))  # the dot lies under the kernel's upper left cell
    expect(panel(page, "window").locator(".result")).to_have_text("0.5")
    cell.fill("much")
    cell.press("Enter")
    expect(panel(page, "kernel")).to_contain_text("“much” is no number")


def test_the_window_plays_and_adds_up(visit: Visit) -> None:
    page = visit("/learn?lesson=convolution&sample=3-4&at=300", viewport=WIDE)
    window = panel(page, "window")
    expect(window.locator(".where")).to_have_text("row 11, column 14")
    window.get_by_role("button", name="Add up term by term").click()
    expect(window.locator(".sum")).to_contain_text("after 4 of 9 terms")
    expect(window.locator(".sum")).to_contain_text("after 9 of 9 terms")
    window.get_by_role("button", name="Slide the window over the image").click()
    expect(window.locator(".where")).to_contain_text(re.compile(r"row 1[2-9]"))
    window.get_by_role("button", name="Pause").click()


def test_one_guesses_first_and_answers_questions(visit: Visit) -> None:
    page = visit("/learn?lesson=convolution&seed=5", viewport=WIDE)
    expect(panel(page, "difference")).to_have_count(0)
    page.get_by_role("button", name="Only the sign").click()
    expect(page.get_by_text("Yes: Only the sign.")).to_be_visible()
    expect(panel(page, "difference")).to_be_visible()
    page.get_by_text("Three questions", exact=True).click()
    field = page.get_by_label("Your answer").first
    field.fill("many")
    field.press("Enter")
    expect(page.get_by_text("“many” is no number.")).to_be_visible()
    text = page.get_by_text(re.compile(r"^Input \d+ × ")).inner_text()
    size, kernel, stride, padding = (
        int(part) for part in re.findall(r"(\d+) ×|stride (\d+)|padding (\d+)", text) for part in part if part
    )
    shape = F.conv2d(
        torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel), stride=stride, padding=padding
    ).shape
    field.fill(str(shape[-1]))
    field.press("Enter")
    expect(page.get_by_text("Right.")).to_be_visible()
    page.get_by_role("button", name="All lessons").click()
    expect(page.get_by_text("1 of 3 right")).to_be_visible()
    page.wait_for_function("localStorage.getItem('cnn-lab:lessons')?.includes('convolution')")
    page.reload()
    expect(page.get_by_text("1 of 3 right")).to_be_visible()
