"""Every string is translated, completely and with the same placeholders; the compiled catalog is the edited one."""

from __future__ import annotations

import ast
import io
import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from cnn_demo.ui.shared import i18n

ROOT = Path(__file__).resolve().parents[4]
LOCALES = ROOT / "cnn_demo" / "locales"
LANGUAGES = [code for code in i18n.LANGUAGES if code != i18n.SOURCE]
SOURCES = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "cnn_demo").rglob("*.py")]
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}


def extracted() -> set[str | tuple[str, ...]]:
    """The messages Babel finds in the source now, as ``make i18n`` would."""
    found: set[str | tuple[str, ...]] = set()
    for folder in ("cnn_demo", "pages"):
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / folder, method_map=[("**.py", "python")], keywords=KEYWORDS
        ):
            found.add(message)
    return found


def catalog(code: str) -> Catalog:
    with (LOCALES / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


def names_in(text: str) -> list[str]:
    return sorted(field for _text, field, _spec, _conversion in string.Formatter().parse(text) if field is not None)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_string_is_translated(code: str) -> None:
    known = {message.id: message for message in catalog(code) if message.id}
    source = extracted()
    assert len(source) > 100
    assert source - known.keys() == set(), "run `make i18n` and translate"
    assert known.keys() - source == set(), "run `make i18n`: these are no longer used"
    for message in known.values():
        assert all(text and text.strip() for text in texts_of(message.string)), f"untranslated: {message.id!r}"
        assert not message.fuzzy, f"fuzzy: {message.id!r}"


def texts_of(string: object) -> tuple[str, ...]:
    """The forms of a message: one, or those of singular and plural."""
    return tuple(map(str, string)) if isinstance(string, tuple | list) else (str(string or ""),)


@pytest.mark.parametrize("code", LANGUAGES)
def test_placeholders_are_the_same(code: str) -> None:
    for message in catalog(code):
        if not message.id:
            continue
        for text in texts_of(message.string):
            assert names_in(text) == names_in(texts_of(message.id)[-1]), message.id


@pytest.mark.parametrize("code", LANGUAGES)
def test_compiled_catalog_is_fresh(code: str) -> None:
    fresh = io.BytesIO()
    write_mo(fresh, catalog(code))
    assert (LOCALES / code / "LC_MESSAGES" / "messages.mo").read_bytes() == fresh.getvalue(), "run `make i18n`"


def test_no_message_hides_from_extraction() -> None:
    """A call inside an f-string or with a computed text is invisible to Babel; found here by Python's own parser."""
    hidden = []
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        in_f_strings = {id(node) for f in ast.walk(tree) if isinstance(f, ast.JoinedStr) for node in ast.walk(f)}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS):
                continue
            literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
            if (literal and id(node) in in_f_strings) or (node.func.id == "N_" and not literal):
                hidden.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
            if node.args and isinstance(node.args[0], ast.JoinedStr):
                hidden.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
    assert hidden == []


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("zh-CN", "zh_CN"),
        ("zh", "zh_CN"),
        ("zh_Hans_CN", "zh_CN"),
        ("ZH-tw", "zh_CN"),
        ("en-GB", "en"),
        ("en", "en"),
        ("de-DE", None),
        ("zhx", None),
        ("", None),
        (None, None),
    ],
)
def test_browser_tags(tag: str | None, code: str | None) -> None:
    assert i18n.match(tag) == code


def test_outside_a_session_english_unless_asked() -> None:
    assert i18n._("Accuracy") == "Accuracy"
    with i18n.use("zh_CN"):
        assert i18n._("Accuracy") == "准确率"
    assert i18n._("Accuracy") == "Accuracy"
    assert i18n._("") == ""


def test_no_space_follows_a_chinese_full_stop() -> None:
    assert i18n.sentence_gap() == " "
    with i18n.use("zh_CN"):
        assert i18n.sentence_gap() == ""
    for message in catalog("zh_CN"):
        for text in texts_of(message.string) if message.id else []:
            assert "。 " not in text, text


def test_punctuation_behind_chinese_is_chinese() -> None:
    half_width = re.compile(r"[\u4e00-\u9fff][,;:?!](?!\S*\})")
    for message in catalog("zh_CN"):
        for text in texts_of(message.string) if message.id else []:
            assert not half_width.search(text), text


@pytest.mark.parametrize(
    ("english", "chinese"),
    [("Reshape", "展平"), ("Climb", "梯度上升"), ("Thicken (pixels of 28)", "加粗（像素，图宽 28）")],
)
def test_terms_are_those_of_the_field(english: str, chinese: str) -> None:
    assert catalog("zh_CN").get(english).string == chinese  # type: ignore[union-attr]


def test_wordings_that_were_found_wrong_do_not_come_back() -> None:
    every = "\n".join(text for message in catalog("zh_CN") for text in texts_of(message.string))
    for wrong in ("训练侧", "整个样本", "像素中的像素"):
        assert wrong not in every
