"""What would change its mind: the digit turned, shifted, scaled, thickened, and the probabilities that follow."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnn_demo.plots.palette import MARK_COLOR, TEST_COLOR, TRAIN_COLOR, VAL_COLOR
from cnn_demo.plots.png import data_url
from cnn_demo.prediction.wording import percent
from cnn_demo.ui.components.sliders import Slider, clamp_values, show_live_sliders
from cnn_demo.ui.draw.answer import headline
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer
from cnn_demo.ui.draw.why import select_answer
from cnn_demo.ui.shared.i18n import _, sentence_gap

if TYPE_CHECKING:
    from cnn_demo.inspect.variations import Variation
    from cnn_demo.prediction.calibration import Verdict

_KEY, _VALUES = "draw:change", "draw:changes"
NO_DIGIT = -1  # in place of a class, where the network sees none
# Most often winning class first. Each has a contrast of 3:1 on the white page and on the dark one.
_COLORS = (
    TRAIN_COLOR,
    TEST_COLOR,
    VAL_COLOR,
    "#a855f7",
    "#db2777",
    "#0891b2",
    "#a16207",
    "#6366f1",
    "#dc2626",
    "#64748b",
)


def show_changes(answers: list[Answer], picture: Picture) -> None:
    """Sliders, the digit as they leave it, its probabilities, and the curve over the angle."""
    ready = [a for a in answers if not a.drawing.empty]
    if not ready:
        st.caption(_("Draw something, then turn it, shift it, make it thicker, and watch the network waver."))
        return
    st.fragment(_show_variations)(ready)


def _show_variations(answers: list[Answer]) -> None:
    from cnn_demo.inspect.variations import ANGLES, Variation, varied_inputs

    answer = select_answer(answers, "draw:change-network")
    with st.container(key="draw-change-row"):  # by which a phone keeps the result above the sliders
        sliders, result, curve = st.columns([4, 4, 5], gap="large")
    with sliders:
        values = _sliders()
    now = Variation(**values)
    turns = [Variation(**{**values, "angle": float(angle)}) for angle in ANGLES]
    inputs = varied_inputs(answer.drawing, answer.spec, [Variation(), now, *turns])
    before, after, *turned = answer.predictor.judge_variations(answer.drawing, inputs)
    with result:
        _changed(answer, now, before, after)
    with curve:
        _curve(answer, list(ANGLES), turned, values["angle"])
    st.caption(
        _(
            "The sliders move what the network sees, after the preparation: on the pad, size and place would be undone "
            "by cropping and centering. The curve asks the network for {n} angles in one batch."
        ).format(n=len(ANGLES))
    )


def _sliders() -> dict[str, float]:
    """What the sliders stand at; they report while they are dragged, and outlive a change of page."""
    table = (
        Slider("angle", _("Rotate (degrees, counter-clockwise)"), -180, 180, 5, 0),
        Slider("right", _("Shift right (pixels of 28)"), -10, 10, 0.5, 0),
        Slider("down", _("Shift down (pixels of 28)"), -10, 10, 0.5, 0),
        Slider("scale", _("Scale"), 0.3, 1.8, 0.05, 1),
        Slider("thickness", _("Thicken (pixels of 28)"), -1.5, 3, 0.25, 0),
    )

    def moved() -> None:
        st.session_state[_VALUES] = st.session_state[_KEY]["values"]

    values = clamp_values(table, st.session_state.get(_VALUES))
    show_live_sliders(table, values, _("As it was"), _KEY, moved)
    return values


def _changed(answer: Answer, now: Variation, before: Verdict, after: Verdict) -> None:
    """The digit as it is now, the verdict before and now, and what has become of the classes that matter."""
    import torch

    from cnn_demo.inspect.variations import picture_of, vary

    moved = (vary(picture_of(answer.drawing), [now])[0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    pixels = moved[0] if len(moved) == 1 else moved.transpose(1, 2, 0)
    title = escape(_("What the network sees now"))
    st.html(
        f'<div class="draw-stages draw-alone"><figure class="draw-key"><img src="{data_url(pixels)}" alt="{title}">'
        f"<figcaption><span>{title}</span></figcaption></figure></div>"
    )
    words = _("Before: {before}  \nNow: {after}")
    st.markdown(words.format(before=_describe_verdict(answer, before), after=_describe_verdict(answer, after)))
    order = np.argsort(after.probabilities)[::-1][:3].tolist()
    rows = "".join(
        f'<tr class="draw-row{" draw-first" if label == after.top else ""}">'
        f'<th scope="row">{escape(answer.word(label))}</th>'
        f'<td class="draw-track"><span style="width:{after.probabilities[label] * 100:.2f}%"></span></td>'
        f"<td>{escape(percent(after.probabilities[label]))}</td></tr>"
        for label in order
    )
    caption = escape(_("The three most probable classes"))
    table = f'<table class="draw-bars"><caption>{caption}</caption><tbody>{rows}</tbody></table>'
    st.html(f'<div class="draw-{after.kind}">{table}</div>')


def _describe_verdict(answer: Answer, verdict: Verdict) -> str:
    """A verdict in Markdown, with the probability of its class: that of no digit stays no digit."""
    share = percent(verdict.probabilities[verdict.top])
    if verdict.kind == "not_a_digit":
        words = _("**{verdict}**; it would have to be {top} ({share})")
        return words.format(verdict=headline(answer, verdict), top=answer.word(verdict.top), share=share)
    return f"**{headline(answer, verdict)}** ({share})"


def _curve(answer: Answer, angles: list[int], verdicts: list[Verdict], here: float) -> None:
    """Probability against the angle for every class that wins somewhere, gray where the digit is none any more."""
    p = np.array([verdict.probabilities for verdict in verdicts])
    wins = np.bincount(p.argmax(1), minlength=p.shape[1])
    runs = spans(angles, [NO_DIGIT if v.kind == "not_a_digit" else v.top for v in verdicts])
    series: list[dict[str, Any]] = [
        {
            "type": "line",
            "name": answer.word(label),
            "showSymbol": False,
            "emphasis": {"disabled": True},
            "data": [[angle, round(float(value) * 100, 2)] for angle, value in zip(angles, p[:, label], strict=True)],
            "lineStyle": {"width": 2.5},
            "itemStyle": {"color": _COLORS[place % len(_COLORS)]},
        }
        for place, label in enumerate(np.argsort(-wins, kind="stable")[: np.count_nonzero(wins)].tolist())
    ]
    still = {"silent": True, "animation": False, "label": {"show": False}}
    dashed = {"color": MARK_COLOR, "type": "dashed"}
    series[0]["markLine"] = {**still, "symbol": "none", "lineStyle": dashed, "data": [{"xAxis": here}]}
    half = (angles[1] - angles[0]) / 2  # each angle stands for those up to half way to its neighbors
    none = [[{"xAxis": low - half}, {"xAxis": high + half}] for label, low, high in runs if label == NO_DIGIT]
    if none:
        series[0]["markArea"] = {**still, "itemStyle": {"color": MARK_COLOR, "opacity": 0.22}, "data": none}
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 34, "bottom": 26, "containLabel": True},
        "legend": {"top": 0, "icon": "roundRect", "itemWidth": 14, "itemHeight": 4, "type": "scroll"},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.1f%%"},
        "xAxis": {
            "type": "value",
            "min": -180,
            "max": 180,
            "interval": 45,
            "name": _("Angle in degrees"),
            "nameLocation": "middle",
            "nameGap": 26,
        },
        "yAxis": {"type": "value", "min": 0, "max": 100, "axisLabel": {"formatter": "{value}%"}},
        "series": series,
    }
    nothing = _("no digit") if answer.spec.digits else _("nothing it knows")
    words = _("{word} from {low}° to {high}°")
    every = ", ".join(
        words.format(word=nothing if label == NO_DIGIT else answer.word(label), low=low, high=high)
        for label, low, high in runs
    )
    st.echarts_chart(option, key="draw:curve", height=330, alt=_("Probability against the angle:") + " " + every)
    label, low, high = next(run for run in runs if run[1] <= 0 <= run[2])
    upright = _("Upright it reads {word}, and goes on doing so from {low}° to {high}°.")
    if label == NO_DIGIT:
        upright = _("Upright it sees {word}, and goes on doing so from {low}° to {high}°.")
    said = upright.format(word=nothing if label == NO_DIGIT else answer.word(label), low=low, high=high)
    if none:
        said += sentence_gap() + _("Gray: angles at which it sees {word}.").format(word=nothing)
    st.caption(said)


def spans(angles: list[int], winners: list[int]) -> list[tuple[int, int, int]]:
    """Runs of angles with one winner: (class or :data:`NO_DIGIT`, first angle, last angle)."""
    runs: list[tuple[int, int, int]] = []
    for angle, winner in zip(angles, winners, strict=True):
        if runs and runs[-1][0] == winner:
            runs[-1] = (winner, runs[-1][1], angle)
        else:
            runs.append((winner, angle, angle))
    return runs
