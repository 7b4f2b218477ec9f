"""A real export and a real download."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

Visit = Callable[..., Page]


def test_a_network_is_exported_checked_and_downloaded(visit: Visit) -> None:
    page = visit("/take_away?net=untrained:lenet5&formats=weights,onnx", viewport={"width": 390, "height": 844})
    page.get_by_role("button", name="Make the files and check them").click()
    expect(page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.reload()  # it goes on
    expect(page.get_by_text("The receipt", exact=True)).to_be_visible(timeout=180_000)
    wide = page.evaluate(
        "document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth"
    )
    assert wide <= 0
    for name, begin in (("Weights", b""), ("ONNX", b"\x08")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=f"{name} ·").click()
        content = waiting.value.path().read_bytes()
        assert len(content) > 10_000
        assert content.startswith(begin)
    page.reload()  # what was made is kept
    expect(page.get_by_text("The receipt", exact=True)).to_be_visible()
