"""From drawing to tensor, as pictures, with the answer at every stage."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.plots.png import data_url, png_bytes
from cnn_demo.prediction.wording import percent
from cnn_demo.ui.draw.answer import number_badge
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer, predict_stages
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.drawing.prepare import Drawing

_KEY_STAGES = ("squeezed", "centered")  # the difference between these two is the lesson
_ABOUT = ("inverted", "sheet", "ruled", "photo", "speck")


def show_stages(answers: list[Answer], picture: Picture) -> None:
    """The stages of the first network's preparation, and what each network says at each."""
    first = answers[0].drawing if answers else None
    if first is None or first.empty:
        st.caption(_("The way from the picture to the network's numbers appears here."))
        return
    answers = [predict_stages(answer) for answer in answers]
    st.html(f'<div class="draw-stages">{_figures(first, answers)}</div>')
    words = describe_lesson(answers[0])
    if words:
        st.markdown(words)
    from cnn_demo.drawing.stages import WARNINGS  # brings scipy, which has been loaded by now

    for warning in first.warnings:
        if warning in _ABOUT:
            st.caption(_(WARNINGS[warning]))
    _downloads(first, answers, picture)


def _downloads(drawing: Drawing, answers: list[Answer], picture: Picture) -> None:
    """Files for a lesson, made when somebody asks for them."""
    seen = (np.clip(drawing.stages[-1].image, 0, 1) * 255).round().astype(np.uint8)
    files: dict[str, tuple[str, Callable[[], bytes]]] = {
        "drawing.png": (_("The picture"), lambda: png_bytes(np.asarray(picture.image))),
        "input.png": (_("What the network sees"), lambda: png_bytes(seen)),
        "probabilities.csv": (_("Probabilities"), lambda: probabilities_csv(answers)),
    }
    with st.popover(_("Download"), icon=":material/download:", type="tertiary"):
        for name, (title, make) in files.items():
            st.download_button(
                f"{title} · .{name.split('.')[1]}",
                make,
                name,
                key=f"draw:file:{name}",
                on_click="ignore",
                type="tertiary",
                icon=":material/draft:",
            )


def probabilities_csv(answers: list[Answer]) -> bytes:
    """One line for each network and class."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["network", "class", "probability"])
    for answer in answers:
        for word, value in zip(answer.spec.classes, answer.prediction.probabilities, strict=True):
            writer.writerow([answer.loaded.key, word, f"{value:.6f}"])
    return out.getvalue().encode()


def _figures(drawing: Drawing, answers: list[Answer]) -> str:
    figures = []
    for number, stage in enumerate(drawing.stages):
        pixels = (np.clip(stage.image, 0, 1) * 255).round().astype(np.uint8)
        said = []
        for place, answer in enumerate(answers, start=1):
            if len(answer.prediction.stages) != len(drawing.stages):
                continue
            at = answer.prediction.stages[number]
            badge = number_badge(place if len(answers) > 1 else 0, answer.network)
            said.append(f"{badge}<b>{escape(answer.word(at.top))}</b> {escape(percent(at.probability))}")
        title = escape(_(stage.title))
        size = f"{pixels.shape[1]} × {pixels.shape[0]}"
        mark = ' class="draw-key"' if stage.name in _KEY_STAGES else ""
        figures.append(
            f'<figure{mark} data-stage="{stage.name}"><img src="{data_url(pixels)}" alt="{title}">'
            f"<figcaption>{'<br>'.join(said)}<span>{title} ({size})</span></figcaption></figure>"
        )
    return "".join(figures)


def describe_lesson(answer: Answer) -> str:
    """What the preparation changed for one network, in a sentence; "" where there is nothing to compare."""
    at = dict(zip((s.name for s in answer.drawing.stages), answer.prediction.stages, strict=False))
    if not all(name in at for name in _KEY_STAGES):
        return ""
    raw, made = at["squeezed"], at["centered"]
    if raw.top != made.top:
        return _(
            "Squeezed as it was drawn, the network reads **{raw}** ({raw_share}). Cropped, scaled and centered as "
            "MNIST's digits were, the same ink is **{made}** ({made_share}): a network knows only what looks like its "
            "training data."
        ).format(
            raw=answer.word(raw.top),
            raw_share=percent(raw.probability),
            made=answer.word(made.top),
            made_share=percent(made.probability),
        )
    return _(
        "It reads **{made}** either way: {raw_share} as drawn and squeezed, {made_share} as MNIST was made. Draw it "
        "small in a corner to see the two part."
    ).format(made=answer.word(made.top), raw_share=percent(raw.probability), made_share=percent(made.probability))
