"""Three questions a lesson, with random numbers, checked here; how far a visitor has come stays in the browser."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.ui.learn import progress
from cnn_demo.ui.learn.controls import HIDDEN, SEED
from cnn_demo.ui.shared import i18n
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.lessons.lesson import Lesson
    from cnn_demo.lessons.panels import Panel
    from cnn_demo.lessons.questions import Given, Question

    ShowRows = Callable[[Lesson, str, Sequence[Sequence[Panel]], Sequence[str]], tuple[str, int, int] | None]

_MOST = 10**6
_ANSWERS = "learn:answers"  # in the session: what was answered, by lesson, seed and number


def show_questions(lesson: Lesson, show_rows: ShowRows) -> None:
    """The questions and a button for new ones. A link with ``answers=hidden`` tells right and wrong only to nobody."""
    from cnn_demo.lessons.questions import start_stream

    seed = _find_seed(lesson)
    hidden = st.query_params.get(HIDDEN) == "hidden"
    questions = lesson.ask(start_stream(lesson.name, seed))
    columns = st.columns(3, gap="large")
    for number, (question, column) in enumerate(zip(questions, columns, strict=True)):
        with column:
            _show_question(lesson, seed, number, question, hidden, show_rows)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Other numbers"), icon=":material/casino:", on_click=_draw_seed, key=f"learn:other:{lesson.name}")
        if hidden:
            st.caption(_("The answers are hidden: this link was made for a class."))
    given: dict[Any, Given] = st.session_state.setdefault(_ANSWERS, {})
    right = [
        q.is_right(given[lesson.name, seed, n]) for n, q in enumerate(questions) if (lesson.name, seed, n) in given
    ]
    progress.keep_progress(lesson.name, sum(right))


def _find_seed(lesson: Lesson) -> int:
    text = st.query_params.get(SEED, "")
    key = f"learn:seed:{lesson.name}"
    if text.isdecimal() and int(text) <= _MOST:
        st.session_state[key] = int(text)
    seed: int = st.session_state.setdefault(key, secrets.randbelow(_MOST))
    st.query_params[SEED] = str(seed)
    return seed


def _draw_seed() -> None:
    st.query_params[SEED] = str(secrets.randbelow(_MOST))


def _show_question(
    lesson: Lesson, seed: int, number: int, question: Question, hidden: bool, show_rows: ShowRows
) -> None:
    given: dict[Any, Given] = st.session_state.setdefault(_ANSWERS, {})
    place = (lesson.name, seed, number)
    st.markdown(question.text.fill(_))
    key = f"learn:answer:{lesson.name}:{seed}:{number}"
    wrong_text = ""
    if question.kind == "number":
        wrong_text = _ask_number(question, key, place)
    elif question.kind == "choice":
        _ask_choice(question, key, place)
    if question.grid is not None:
        clicks = [question.grid.name] if question.kind == "cell" else []
        cell = show_rows(lesson, f"question-{number}-{seed}", [[question.grid]], clicks)
        if question.kind == "cell" and cell is not None:
            given[place] = (cell[1], cell[2])
    if wrong_text:
        st.warning(_("“{text}” is no number.").format(text=wrong_text))
    elif place in given:
        _judge(question, given[place], hidden)


def _ask_number(question: Question, key: str, place: tuple[str, int, int]) -> str:
    """The field; the text that is no number, or ""."""
    from cnn_demo.lessons.questions import NoNumber, read_number

    text = st.text_input(_("Your answer"), key=key, placeholder=_("a number"))
    if not text.strip():
        return ""
    try:
        st.session_state[_ANSWERS][place] = read_number(text)
    except NoNumber:
        st.session_state[_ANSWERS].pop(place, None)
        return text[:40]
    return ""


def _ask_choice(question: Question, key: str, place: tuple[str, int, int]) -> None:
    words = {name: title.fill(_) for name, title in question.options.items()}
    chosen = st.radio(
        _("Your answer"), list(words), key=key, index=None, format_func=i18n.worded(words, words.__getitem__)
    )
    if chosen is not None:
        st.session_state[_ANSWERS][place] = chosen


def _judge(question: Question, given: Given, hidden: bool) -> None:
    if hidden:
        st.info(_("Your answer is noted."), icon=":material/edit_note:")
    elif question.is_right(given):
        st.success(_("Right.") + i18n.sentence_gap() + question.why.fill(_), icon=":material/check:")
    else:
        shown = f"({given[0]}, {given[1]})" if isinstance(given, tuple) else _write_given(question, given)
        said = _("Not {given}.").format(given=shown)
        st.error(said + i18n.sentence_gap() + question.why.fill(_), icon=":material/close:")


def _write_given(question: Question, given: Given) -> str:
    from cnn_demo.lessons.words import write_number

    if question.kind == "choice":
        return f"“{question.options[str(given)].fill(_)}”"
    value = float(given)  # type: ignore[arg-type]
    return write_number(int(value) if value.is_integer() else value)
