"""Captions: what the classes are called in English and Chinese, in several wordings, and captions as bytes.

Imports no torch. The names are kept here and not taken from the translations, because a run learns from them: the same
run must see the same captions whatever a translator mends.
"""

from __future__ import annotations

import unicodedata

from cnn_demo.locales import N_

MAX_BYTES = 64
"""The longest caption that is read, in bytes of UTF-8: 64 Latin letters or 21 Chinese characters."""

# What a class is called, in English and in Chinese, where that is not the name that the data set gives it.
_NAMES: dict[str, tuple[str, str]] = {
    "0": ("zero", "零"),
    "1": ("one", "一"),
    "2": ("two", "二"),
    "3": ("three", "三"),
    "4": ("four", "四"),
    "5": ("five", "五"),
    "6": ("six", "六"),
    "7": ("seven", "七"),
    "8": ("eight", "八"),
    "9": ("nine", "九"),
    "T-shirt/top": ("T-shirt", "T恤"),
    "Trouser": ("trousers", "裤子"),
    "Pullover": ("pullover", "套头衫"),
    "Dress": ("dress", "连衣裙"),
    "Coat": ("coat", "外套"),
    "Sandal": ("sandal", "凉鞋"),
    "Shirt": ("shirt", "衬衫"),
    "Sneaker": ("sneaker", "运动鞋"),
    "Bag": ("bag", "包"),
    "Ankle boot": ("ankle boot", "短靴"),
    "airplane": ("airplane", "飞机"),
    "automobile": ("automobile", "汽车"),
    "bird": ("bird", "鸟"),
    "cat": ("cat", "猫"),
    "deer": ("deer", "鹿"),
    "dog": ("dog", "狗"),
    "frog": ("frog", "青蛙"),
    "horse": ("horse", "马"),
    "ship": ("ship", "船"),
    "truck": ("truck", "卡车"),
}
# Every class has as many captions as there are wordings. A digit is written by hand; other things are shown.
_DIGIT_WORDINGS = (
    "{name}",
    "{english}",
    "the digit {name}",
    "a handwritten {english}",
    "a picture of the number {english}",
    "{chinese}",
    "手写的{chinese}",
    "数字{name}",
)
_OTHER_WORDINGS = (
    "{name}",
    "{english}",
    "this is a {english}",
    "a picture of a {english}",
    "a small gray image of a {english}",
    "{chinese}",
    "一张{chinese}的图片",
    "这是{chinese}",
)
WORDINGS = len(_DIGIT_WORDINGS)


class CaptionError(ValueError):
    """A caption that cannot be read.

    Attributes:
        message: what is wrong, an English sentence for translation.
        values: what fills it.
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message.format(**values))
        self.message, self.values = message, values


def write_captions(name: str) -> tuple[str, ...]:
    """The :data:`WORDINGS` captions of a class, from the name that its data set gives it.

    A name that is not in the table stands for itself in both languages.
    """
    english, chinese = _NAMES.get(name, (name, name))
    wordings = _DIGIT_WORDINGS if name.isdecimal() else _OTHER_WORDINGS
    return tuple(wording.format(name=name, english=english, chinese=chinese) for wording in wordings)


def encode_caption(text: str) -> bytes:
    """A caption as the text encoder reads it: UTF-8 in lower case, full-width signs made plain, single spaces.

    Raises:
        CaptionError: nothing is left, or more than :data:`MAX_BYTES`.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not plain:
        raise CaptionError(N_("The caption is empty. Write a few words, such as “a handwritten three”."))
    encoded = plain.encode("utf-8", errors="replace")
    if len(encoded) > MAX_BYTES:
        raise CaptionError(
            N_(
                "The caption “{start}…” has {size} bytes; at most {most} are read, which are {most} Latin letters or "
                "{chinese} Chinese characters. Shorten it."
            ),
            start=plain[:20],
            size=f"{len(encoded):,}",
            most=MAX_BYTES,
            chinese=MAX_BYTES // 3,
        )
    return encoded
