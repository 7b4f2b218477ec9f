"""Captions: how well the visitor's own words fit the drawing, and how well they classify."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.models.captions import CaptionError, encode_caption, write_captions
from cnn_demo.prediction.wording import percent
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer
from cnn_demo.ui.draw.why import select_answer
from cnn_demo.ui.shared import i18n, markup
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.samples import load_samples

if TYPE_CHECKING:
    from cnn_demo.prediction.captions import CaptionScore, HeldOutFigure

_TEXT, _WHICH, _MEASURED = "draw:captions", "draw:captions-network", "draw:captions-measured"
_MOST = 100  # captions at once
_ENGLISH, _CHINESE = 3, 6  # which wordings of a class stand in the field at first


def reads_captions(answers: list[Answer]) -> bool:
    """Whether one of the networks does."""
    return bool(_with_text(answers))


def _with_text(answers: list[Answer]) -> list[Answer]:
    from cnn_demo.prediction import captions  # brings torch, which has been loaded by now

    return [answer for answer in answers if captions.reads_captions(answer.loaded)]


def show_captions(answers: list[Answer], picture: Picture) -> None:
    """The field for captions, how well each fits, how well they classify, and the class that was held out."""
    st.fragment(_show_comparison)(_with_text(answers))


def _show_comparison(answers: list[Answer]) -> None:
    row = st.container(horizontal=True, gap="large", key="draw-captions-row")
    with row.container(key="draw-captions-field"):
        answer = select_answer(answers, _WHICH)
        lines = _choose_captions(answer.spec)
    with row.container(key="draw-captions-answer"):
        problem = _find_problem(lines)
        if problem:
            st.warning(problem, icon=":material/edit_note:")
        elif answer.drawing.empty:
            st.caption(_("Draw something or take a sample, and see how well each caption fits it."))
        else:
            _show_scores(answer, lines)
        if not problem:
            _show_accuracy(answer, lines)
        _show_held_out(answer)


# -- the field ----------------------------------------------------------------------------------------------------


def write_first_captions(spec: DatasetSpec, language: str) -> str:
    """One caption for each class, a line each, in a language of ours."""
    wording = _CHINESE if language == "zh_CN" else _ENGLISH
    return "\n".join(write_captions(name)[wording] for name in spec.classes)


def _choose_captions(spec: DatasetSpec) -> list[str]:
    """The captions in the field; empty lines are no captions."""
    key = f"{_TEXT}:{'digits' if spec.digits else spec.name}"
    first = write_first_captions(spec, i18n.language())
    # What nobody has touched follows the language.
    if st.session_state.get(key) in (None, *(write_first_captions(spec, code) for code in i18n.LANGUAGES)):
        st.session_state[key] = first
    text = st.text_area(
        _("Captions, one on each line"),
        key=key,
        height=290,
        persist_state="session",
        help=_(
            "English or Chinese, in your own words. The network reads bytes and has only ever seen a few wordings of "
            "each class, so it looks for words that it knows; it does not understand sentences."
        ),
    )

    def put_first() -> None:
        st.session_state[key] = first

    st.button(
        _("One caption for each class"),
        on_click=put_first,
        disabled=text == first,
        icon=":material/undo:",
        type="tertiary",
    )
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _find_problem(lines: list[str]) -> str:
    """Why these captions cannot be compared, in the visitor's language; empty where they can."""
    if not lines:
        return _("Write at least one caption, such as “a handwritten three”.")
    if len(lines) > _MOST:
        return _("These are {n} captions; at most {most} are compared at once.").format(n=f"{len(lines):,}", most=_MOST)
    return next((problem for line in lines if (problem := _find_caption_problem(line))), "")


def _find_caption_problem(line: str) -> str:
    try:
        encode_caption(line)
    except CaptionError as error:
        return markup.escape(_(error.message).format(**error.values))
    return ""


# -- the answer ---------------------------------------------------------------------------------------------------


def _show_scores(answer: Answer, lines: list[str]) -> None:
    from cnn_demo.prediction.captions import compare_captions, find_scale

    scores = compare_captions(answer.loaded, answer.drawing.input, lines)
    best = max(scores, key=lambda score: score.probability)
    words = _("Best of your captions: **{caption}** ({share}).")
    st.markdown(words.format(caption=markup.escape(best.caption), share=percent(best.probability)))
    st.html(_draw_table(scores, best))
    st.caption(
        _(
            "The cosine says how near the caption lies to the image, from -1 to 1. The probabilities are the softmax "
            "of the cosines times {scale}, which was learnt; they compare your captions with each other, so one "
            "caption alone always has all."
        ).format(scale=f"{find_scale(answer.loaded):.1f}")
    )


def _draw_table(scores: list[CaptionScore], best: CaptionScore) -> str:
    """The captions with their cosines and probabilities, as HTML."""
    rows = "".join(
        f'<tr class="draw-row{" draw-first" if score is best else ""}"><th scope="row">{escape(score.caption)}</th>'
        f'<td class="draw-track"><span style="width:{score.probability * 100:.2f}%"></span></td>'
        f"<td>{score.cosine:.2f}</td><td>{escape(percent(score.probability))}</td></tr>"
        for score in scores
    )
    heads = "".join(
        f'<th scope="col">{escape(words)}</th>' for words in (_("Caption"), "", _("Cosine"), _("Probability"))
    )
    caption = escape(_("How well each caption fits"))
    return (
        f'<table class="draw-bars draw-captions"><caption>{caption}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _show_accuracy(answer: Answer, lines: list[str]) -> None:
    """How many test images the captions classify right, on demand; there must be one for each class."""
    from cnn_demo.prediction.captions import count_found_by_captions

    classes = answer.spec.classes
    if len(lines) != len(classes):
        st.caption(
            _(
                "With {n} captions, one for each class in the order of the classes, you can measure how well your "
                "words classify. Now there are {lines}."
            ).format(n=len(classes), lines=len(lines))
        )
        return
    wanted = (answer.loaded.key, tuple(lines))
    if st.button(_("Measure these captions on the test images"), icon=":material/fact_check:", key="draw:captions-go"):
        try:
            split, _by_class = load_samples(answer.spec.name)
        except DatasetUnavailable:
            _say_unavailable(answer)
            return
        with st.spinner(_("Reading the test images…"), show_time=False):
            found = count_found_by_captions(answer.loaded, split, lines)
        st.session_state[_MEASURED] = (wanted, found, len(split))
    measured = st.session_state.get(_MEASURED)
    if measured and measured[0] == wanted:
        _wanted, found, n = measured
        st.markdown(
            _(
                "By these captions, line after line for the classes in their order, **{share}** of the {n} test "
                "images of {dataset} are given their class."
            ).format(share=f"{found / n:.2%}", n=f"{n:,}", dataset=answer.spec.name)
        )


# -- the class that was held out ----------------------------------------------------------------------------------


@st.cache_data(show_spinner=False, max_entries=32)
def _measure_held_out(key: str, _answer: Answer) -> HeldOutFigure | None:
    from cnn_demo.prediction.captions import measure_held_out

    split, _by_class = load_samples(_answer.spec.name)
    return measure_held_out(_answer.loaded, split)


def _show_held_out(answer: Answer) -> None:
    """What became of the class that the run never saw."""
    if answer.loaded.config.options.get("held_out", -1) < 0:
        return
    title = _("The class that was held out")
    st.markdown(f"**{title}**")
    if answer.network.following:
        st.caption(_("It is measured when the run has ended."))
        return
    try:
        with st.spinner(_("Reading the test images…"), show_time=False):
            figure = _measure_held_out(answer.loaded.key, answer)
    except DatasetUnavailable:
        _say_unavailable(answer)
        return
    if figure is None or not figure.n:
        return
    st.markdown(
        _(
            "This run never saw **{word}**, neither an image nor a caption of it, and no image of it was used to "
            "calibrate its answers. Its captions find **{found}** of {n} test images of it ({share}) among all "
            "{classes} classes; guessing would find {chance}. Of the {others} other test images {right} are right; "
            "wrongly called {word}: {taken}."
        ).format(
            word=markup.escape(answer.word(figure.label)),
            n=f"{figure.n:,}",
            found=f"{figure.found:,}",
            share=f"{figure.found / figure.n:.1%}",
            classes=len(answer.spec.classes),
            chance=f"{1 / len(answer.spec.classes):.0%}",
            others=f"{figure.others_n:,}",
            right=f"{figure.others_right / figure.others_n:.1%}" if figure.others_n else "–",
            taken=f"{figure.others_taken:,}",
        )
    )
    st.caption(
        _(
            "The large CLIP recognizes what it was not trained for because it has read hundreds of millions of "
            "captions. This one has read the captions of {n} classes, and a new word tells it nothing."
        ).format(n=len(answer.spec.classes) - 1)
    )


def _say_unavailable(answer: Answer) -> None:
    words = _("The test images of {dataset} are not on this machine, so nothing can be measured.")
    st.caption(words.format(dataset=answer.spec.name))
