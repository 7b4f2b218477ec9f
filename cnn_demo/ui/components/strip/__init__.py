"""The live strip: pictures with their bars while a network learns, and the filters of its first layer.

The strip arrives in the browser as bytes, one moment of it or all. With all of them a slider and a play button go
through the training, without asking the server.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import streamlit as st

from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.runs.strip import Strip, WatchedPicture

_FOLDER = Path(__file__).resolve().parent

_strip = st.components.v2.component(
    "cnn_lab_strip",
    html='<div class="strip"></div>',
    css=(_FOLDER / "strip.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "strip.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Look:
    """How a strip is shown.

    Attributes:
        part: all of it; the drawing alone, with large bars; or the test images alone, small, with their verdict.
        group: strips of one group on a page show the same moment.
        title: what is said above it, in place of the moment and, for a drawing, of the score.
    """

    part: Literal["all", "drawing", "samples"] = "all"
    group: str = ""
    title: str = ""

    def shows(self, picture: WatchedPicture) -> bool:
        """Whether a picture is among those that are shown."""
        return self.part == "all" or picture.drawn == (self.part == "drawing")


WHOLE = Look()


def show_strip(data: bytes, key: str) -> None:
    """Show a strip.

    Args:
        data: from :func:`pack_strip`; with more than one moment there is a slider over them.
        key: of the component; what stays on the page while the strip changes.
    """
    _strip(data=data, key=key)


def pack_strip(strip: Strip, classes: Sequence[str], look: Look = WHOLE) -> bytes:
    """A strip as the browser reads it, with the words of the visitor's language.

    The length of the header (uint32), the header (JSON, padded to a multiple of 4), the probabilities ``(R, N,
    classes)`` as float32, the kernels ``(R, K, C, h, w)`` as int8: 127 is the largest absolute value of that moment.

    Args:
        strip: one moment or more.
        classes: a name for each class, translated.
        look: what is shown of it, and how.
    """
    import numpy as np

    from cnn_demo.plots.png import data_url

    strip = _select(strip, look)
    largest = np.abs(strip.kernels).max(axis=(1, 2, 3, 4), initial=1e-12, keepdims=True)
    kernels = np.rint(strip.kernels * (127 / largest)).astype(np.int8)
    pictures = []
    for picture in strip.pictures:
        image = picture.image[:, :, 0] if picture.image.shape[2] == 1 else picture.image  # (H, W) or (H, W, 3)
        pictures.append({"src": data_url(image), "label": picture.label, "drawn": picture.drawn})
    header = json.dumps(
        {
            "words": _list_words(),
            "classes": list(classes),
            "pictures": pictures,
            "steps": strip.steps.tolist(),
            "epochs": strip.epochs.tolist(),
            "kernels": list(kernels.shape[1:]),
            "part": look.part,
            "group": look.group,
            "title": look.title,
        }
    ).encode()
    header += b" " * (-len(header) % 4)
    body = strip.probabilities.astype("<f4").tobytes() + kernels.tobytes()
    return struct.pack("<I", len(header)) + header + body


def _select(strip: Strip, look: Look) -> Strip:
    """What a look shows of a strip: of a part only its pictures (one drawing, the first), without the filters."""
    if look.part == "all":
        return strip
    shown = [place for place, picture in enumerate(strip.pictures) if look.shows(picture)]
    shown = shown[:1] if look.part == "drawing" else shown
    return replace(
        strip,
        pictures=tuple(strip.pictures[place] for place in shown),
        probabilities=strip.probabilities[:, shown],
        kernels=strip.kernels[:, :0],
    )


def _list_words() -> dict[str, str]:
    """What the strip says; names in braces are filled in by the browser."""
    return {
        "drawing": _("Your drawing"),
        "before": _("Before training: random weights"),
        "at": _("Step {step} · epoch {epoch}"),
        "score": _("{right} of {n} right"),
        "right": _("{name}: read as {answer}, {percent}, right"),
        "wrong": _("{name}: read as {answer}, {percent}, wrong"),
        "open": _("{name}: read as {answer}, {percent}"),
        "blank": _("No picture yet"),
        "chance": _("pure chance"),
        "filters": _("Filters of the first layer"),
        "filters_help": _("Blue is negative, red positive, white zero; each moment on its own scale."),
        "filters_color_help": _("Gray is zero; the brighter a color, the more the filter asks for it."),
        "play": _("Play the training"),
        "stop": _("Stop playing"),
        "moment": _("Moment of the training"),
    }
