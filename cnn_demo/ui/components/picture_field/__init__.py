"""A field for one picture of the visitor's own.

Streamlit's uploader sends a file as it is and refuses large ones. This one shrinks a large picture in the browser, so
that a photo of any size arrives, small; and it lets the visitor cut the picture to a part of it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from cnn_demo.ui.shared.i18n import _

_FOLDER = Path(__file__).resolve().parent
_LONGEST_NAME = 80

_field = st.components.v2.component(
    "cnn_lab_picture_field",
    html='<div class="picture-field"></div>',
    css=(_FOLDER / "picture_field.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "picture_field.js").read_text(encoding="utf-8"),
)

Part = tuple[float, float, float, float]  # left, top, right, bottom: parts of width and height, in [0, 1]


@dataclass(frozen=True, slots=True)
class FileSent:
    """A file has come.

    Attributes:
        name: as the visitor knows it.
        data: its bytes; of a large picture those of a small copy.
        problem: what the browser found wrong with it, a kind of ``drawing.pictures.DrawingError``; "" for nothing.
    """

    name: str
    data: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FileRemoved:
    """The picture is to go."""


@dataclass(frozen=True, slots=True)
class PartChosen:
    """The picture is cut to a part; None for the whole."""

    part: Part | None


Message = FileSent | FileRemoved | PartChosen


def show_picture_field(key: str, *, name: str, preview: str | None, part: Part | None) -> None:
    """Show the field with what the page has.

    Args:
        key: of the component; ask :func:`take_message` before showing it.
        name: of the file; "" for none.
        preview: the picture as a data URL; None for none.
        part: what of it is read; None for all.
    """
    words = {
        "choose": _("Choose a picture"),
        "hint": _("or drop one here. Any size; a large one is shrunk in your browser."),
        "other": _("Choose another"),
        "remove": _("Remove"),
        "whole": _("The whole picture"),
        "busy": _("Making it smaller…"),
        "crop": _("Drag across it to read only a part."),
        "crop_keys": _(
            "The part that is read. Arrow keys move it, Shift and arrow keys change its size, Escape takes all."
        ),
    }
    data = {"words": words, "name": name, "preview": preview, "crop": list(part) if part else None}
    _field(data=data, key=key, on_sent_change=lambda: None)


def take_message(key: str) -> Message | None:
    """What the visitor has just done with the field; each message once, None where there is no new one."""
    sent = st.session_state.get(key)
    message = sent.get("sent") if isinstance(sent, dict) else None
    if not isinstance(message, dict) or message.get("token") == st.session_state.get(f"{key}:token"):
        return None
    st.session_state[f"{key}:token"] = message.get("token")
    return read_message(message)


def read_message(message: dict[str, Any]) -> Message | None:
    """Check what a browser sent; None for what is no message."""
    kind = message.get("kind")
    if kind == "remove":
        return FileRemoved()
    if kind == "crop":
        return PartChosen(_read_part(message.get("crop")))
    if kind != "file":
        return None
    name = str(message.get("name") or "")[-_LONGEST_NAME:]
    problem = str(message.get("problem") or "")
    try:
        data = base64.b64decode(str(message.get("data") or ""), validate=True)
    except (binascii.Error, ValueError):
        return FileSent(name, b"", "broken")
    return FileSent(name, data, problem)


def _read_part(values: object) -> Part | None:
    if not isinstance(values, list | tuple) or len(values) != 4:
        return None
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values):
        return None
    left, top, right, bottom = (float(value) for value in values)
    return (left, top, right, bottom) if left < right and top < bottom else None
