"""Captions of classes, and captions as bytes."""

from __future__ import annotations

import pytest

from cnn_demo.datasets.specs import list_specs
from cnn_demo.models.captions import MAX_BYTES, WORDINGS, CaptionError, encode_caption, write_captions


def test_a_digit_has_captions_in_both_languages() -> None:
    captions = write_captions("3")
    assert "a handwritten three" in captions
    assert "手写的三" in captions
    assert "数字3" in captions


@pytest.mark.parametrize("spec", list_specs(), ids=lambda spec: spec.name)
def test_every_class_of_every_data_set_has_captions_of_its_own(spec: object) -> None:
    rows = [write_captions(name) for name in spec.classes]  # type: ignore[attr-defined]
    assert {len(row) for row in rows} == {WORDINGS}
    for row in rows:
        for caption in row:
            assert len(encode_caption(caption)) <= MAX_BYTES
    for number, row in enumerate(rows):
        others = {caption for other in rows[:number] + rows[number + 1 :] for caption in other}
        assert not others & set(row)


def test_captions_are_read_as_plain_lower_case_bytes() -> None:
    assert encode_caption("  A  Handwritten\tTHREE ") == b"a handwritten three"
    assert encode_caption("手写的三") == "手写的三".encode()
    assert encode_caption("数字３") == "数字3".encode()  # a full-width digit
    assert encode_caption("\ud800") == b"?"  # half of a pair, which no encoding has


@pytest.mark.parametrize("nothing", ["", "  \n\t", "\u3000"])
def test_an_empty_caption_is_refused(nothing: str) -> None:
    with pytest.raises(CaptionError, match="empty"):
        encode_caption(nothing)


@pytest.mark.parametrize(("caption", "size"), [("x" * 10_000, "10,000"), ("三" * 22, "66"), ("x" * 65, "65")])
def test_a_long_caption_is_refused_with_its_size(caption: str, size: str) -> None:
    with pytest.raises(CaptionError, match=f"has {size} bytes; at most 64 are read") as caught:
        encode_caption(caption)
    assert len(str(caught.value)) < 200


def test_the_longest_caption_is_read() -> None:
    assert len(encode_caption("x" * 64)) == 64
    assert len(encode_caption("三" * 21)) == 63
