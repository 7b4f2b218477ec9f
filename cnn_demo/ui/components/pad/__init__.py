"""The pad that answers while the pen moves.

The pad draws by itself in the browser and reports its picture as a PNG, never before the page has answered the picture
before: a slow server is asked less often, not flooded, and what is on the pad at last is always asked for. Its strokes
are kept in the storage of the browser's tab, so they outlive a change of page and a reload.

A fragment holds the pad and the answer. What takes longer belongs into a second fragment, which
:func:`rerun_when_at_rest` calls when the pen rests.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from cnn_demo.ui.shared.i18n import _

SIDE = 280  # pixels of a picture, whatever the size of the pad on the screen
_MOST_CHARACTERS = 400_000  # of a picture in base64; one of 280 x 280 has a few thousand, noise some 110,000
_PREFIX = "data:image/png;base64,"
_FOLDER = Path(__file__).resolve().parent


def _join_files(*names: str) -> str:
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


_pad = st.components.v2.component(
    "cnn_lab_pad",
    html='<div class="pad"></div>',
    css=_join_files("pad.css"),
    js=_join_files("channel.js", "strokes.js", "pad.js"),
)
_answer = st.components.v2.component("cnn_lab_pad_answer", html="<i></i>", js=_join_files("channel.js", "answer.js"))
_rest = st.components.v2.component("cnn_lab_pad_rest", html="<i></i>", js=_join_files("channel.js", "rest.js"))


@dataclass(frozen=True)
class Drawn:
    """What the browser sent last.

    Attributes:
        seq: its number; larger for later pictures, also over a reload. 0 before the first.
        image: ``(280, 280)`` uint8, ink 255 on paper 0; None while the pad is blank.
    """

    seq: int
    image: NDArray[np.uint8] | None


@contextmanager
def live_pad(
    key: str, *, drawing: str = "digit", size: int = SIDE, brief: bool = False
) -> Iterator[NDArray[np.uint8] | None]:
    """Show a pad; the body of the ``with`` shows the answer to the picture, anywhere on the page.

    When the body is left, the pad may send its next picture. So there is one answer at a time.

    Args:
        key: of the component; also the channel for :func:`rerun_when_at_rest`.
        drawing: pads of one drawing share strokes, undo and pen width, on whatever page they stand.
        size: the side on the screen, in CSS pixels; less where there is less room.
        brief: without the pen's width.

    Yields:
        The picture: ``(280, 280)`` uint8, ink 255 on paper 0; None while the pad is blank.
    """
    kept = _last(drawing)
    data = {"channel": key, "drawing": drawing, "kept": kept.seq, "size": size, "brief": brief}
    data["words"] = _list_words()
    result = _pad(data=data, key=key, default={"drawn": None}, on_drawn_change=lambda: None)
    drawn = read_report(result.get("drawn"))
    if drawn is not None and drawn.seq > kept.seq:
        st.session_state[_place(drawing)] = kept = drawn
    try:
        yield kept.image
    finally:
        announce_picture(key, str(kept.seq), kept.seq)


def get_drawing(drawing: str = "digit") -> NDArray[np.uint8] | None:
    """What this visitor has drawn, without showing a pad: ``(280, 280)`` uint8, or None."""
    return _last(drawing).image


def announce_picture(key: str, version: str, seq: int = 0) -> None:
    """Say that the answer to a picture is on the page: for pictures that come from elsewhere than the pad.

    Args:
        key: the channel.
        version: changes with the picture.
        seq: the pad's number of the picture; 0 where it is not the pad's.
    """
    st.session_state[f"{key}:version"] = version
    _answer(data={"channel": key, "version": version, "seq": seq}, key=f"{key}:answer")


def rerun_when_at_rest(key: str) -> None:
    """Call from a fragment: it runs again when the pen rests and the answer is to another picture than its own.

    Args:
        key: the channel.
    """
    data = {"channel": key, "version": st.session_state.get(f"{key}:version")}
    _rest(data=data, key=f"{key}:rest", default={"rest": None}, on_rest_change=_nothing)


def _nothing() -> None:
    """A state value must have a callback; that the fragment runs again is all we want."""


def _place(drawing: str) -> str:
    return f"pad:{drawing}"


def _last(drawing: str) -> Drawn:
    kept = st.session_state.get(_place(drawing))
    return kept if isinstance(kept, Drawn) else Drawn(0, None)


def read_report(report: object) -> Drawn | None:
    """Check what a browser sent; None where it is no picture of a pad."""
    if not isinstance(report, dict):
        return None
    seq, png = report.get("seq"), report.get("png")
    if not isinstance(seq, int | float) or not 0 < seq < 2**53:
        return None
    if png is None:
        return Drawn(int(seq), None)
    if not isinstance(png, str) or not png.startswith(_PREFIX) or len(png) > _MOST_CHARACTERS:
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(png[len(_PREFIX) :], validate=True)), formats=("PNG",)) as picture:
            if picture.size != (SIDE, SIDE):  # before anything is decoded
                return None
            # The paper is opaque and ink has no color: any channel is the picture.
            image = np.array(picture.convert("L"))
    except (OSError, SyntaxError, ValueError, binascii.Error):
        return None
    return Drawn(int(seq), image if image.any() else None)


def _list_words() -> dict[str, str]:
    """What the pad says, in the visitor's language."""
    return {
        "pad": _("Drawing pad"),
        "tools": _("Tools of the pad"),
        "undo": _("Undo"),
        "undo_help": _("Take back the last step (Ctrl+Z)"),
        "redo": _("Redo"),
        "redo_help": _("Do it again (Ctrl+Y)"),
        "erase": _("Eraser"),
        "erase_help": _("Draw or erase"),
        "clear": _("Clear"),
        "clear_help": _("Begin anew; Undo brings the drawing back (Delete)"),
        "width": _("Pen"),
        "width_help": _(
            "Pen width. The pad is 280 pixels wide; ten of them become one pixel for the network, roughly."
        ),
        "keys": _(
            "Arrow keys move the pen, with Shift by single pixels. The space bar puts it down and lifts it. Ctrl+Z "
            "takes back, Ctrl+Y does it again, Delete clears."
        ),
        "down": _("Pen down"),
        "up": _("Pen up"),
    }
