"""The field for a picture: photos are shrunk in the browser, a part can be cut, nothing is left of what was there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
Visit = Callable[..., Page]


def write_photo(path: Path) -> None:
    """A grainy photo of more than 5 MB: a bar like a 1 in its upper half."""
    rng = np.random.default_rng(0)
    photo = np.full((2400, 1800), 215.0)
    photo[300:1100, 850:950] = 40
    photo += rng.normal(0, 30, photo.shape)
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).convert("RGB").save(path, quality=100, subsampling=0)
    assert path.stat().st_size > 5_000_000


def test_the_field_for_a_picture(visit: Visit, tmp_path: Path) -> None:
    page = visit("/draw?from=upload")
    field, card = page.locator(".picture-field"), page.locator(".draw-card")
    choose, kind = field.locator("input[type=file]"), "data-kind"
    expect(card).to_have_attribute(kind, "empty")
    crop = page.locator("figure[data-stage=luminance] figcaption")

    write_photo(tmp_path / "photo.jpg")
    choose.set_input_files(tmp_path / "photo.jpg")
    expect(field.locator("figcaption")).to_have_text("photo.jpg")
    expect(card).not_to_have_attribute(kind, "empty")
    expect(crop).to_contain_text("(300 × 400)")  # 1,800 × 2,400 became 1,200 × 1,600 here and a quarter of it there

    # A part of it, by mouse; the whole again, by keyboard; another part by keyboard.
    stage = field.locator(".stage")
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] - 3, steps=4)
    page.mouse.up()
    expect(card).to_have_attribute(kind, "empty")
    expect(card).to_contain_text("No ink is found in this picture")
    stage.focus()
    page.keyboard.press("Escape")
    expect(card).not_to_have_attribute(kind, "empty")
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    expect(crop).to_contain_text("(360 × 48")  # three fifths of it, twice as sharp

    # A PNG of 49 million pixels in a small file: shrunk here; on the server nothing of that size is decoded.
    Image.new("1", (7_000, 7_000), 1).save(tmp_path / "wide.png")
    choose.set_input_files(tmp_path / "wide.png")
    expect(field.locator("figcaption")).to_have_text("wide.png")
    expect(card).to_contain_text("No ink is found in this picture")

    # What is damaged leaves nothing behind, what is removed neither.
    (tmp_path / "bad.png").write_bytes(b"\x89PNG and no more")
    choose.set_input_files(tmp_path / "bad.png")
    expect(page.get_by_text("bad.png is no picture")).to_be_visible()
    expect(card).to_contain_text("Choose a picture")
    choose.set_input_files(tmp_path / "photo.jpg")
    expect(card).not_to_have_attribute(kind, "empty")
    expect(page.get_by_text("bad.png is no picture")).to_have_count(0)
    field.get_by_role("button", name="Remove").click()
    expect(card).to_contain_text("Choose a picture")
