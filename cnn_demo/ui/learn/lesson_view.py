"""One lesson: idea and formula, what one moves, the stage, the guess and what it reveals, the lines, the questions."""

from __future__ import annotations

import hashlib
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.ui.components import stage
from cnn_demo.ui.learn import controls, live_view, question_view
from cnn_demo.ui.shared import i18n, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.navigation import PAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject
    from cnn_demo.lessons.panels import Panel, Scene

_GUESSED = "learn:guessed"


@st.fragment
def show_lesson(name: str, subject: Subject) -> None:
    """The experiment: everything that changes with its controls. A change runs this fragment alone."""
    from cnn_demo.lessons.contents import load_lesson

    lesson = load_lesson(name)
    values = controls.load_values(lesson)
    scene = lesson.show(subject, values)
    left, right = st.columns([1, 3.6], gap="medium")
    with left:
        with st.container(key="lesson-idea"):
            st.markdown(_(lesson.idea))
        with st.container(key="lesson-controls", gap="small"):
            controls.show_controls(lesson, values)
        _show_ways(lesson, scene)
    with right:
        with st.container(key="lesson-formula", horizontal=True, gap="medium", vertical_alignment="center"):
            for text in filter(None, (lesson.formula, scene.numbers)):
                st.latex(text, width="content")
        show_rows(lesson, "main", scene.rows)
        _show_guess(lesson, scene)
        if lesson.live is not None:
            live_view.show_live(lesson, lesson.live, subject, values, show_rows)


@st.fragment
def show_questions(name: str) -> None:
    """The other part of a lesson."""
    from cnn_demo.lessons.contents import load_lesson

    question_view.show_questions(load_lesson(name), show_rows)


def show_rows(
    lesson: Lesson, part: str, rows: Sequence[Sequence[Panel]], clicks: Sequence[str] = ()
) -> tuple[str, int, int] | None:
    """Panels on a stage.

    Args:
        lesson: whose controls the panels may change.
        part: which stage of the lesson this is.
        rows: the panels.
        clicks: names of grids whose clicks are wanted.

    Returns:
        The last cell that was clicked in one of ``clicks``: its grid, row and column; None before a click.
    """
    from cnn_demo.lessons.packing import pack_rows

    key = f"learn:stage:{lesson.name}:{part}"
    header: dict[str, Any] = {"id": "", "words": stage.list_words(), "clicks": list(clicks)}
    data = pack_rows(rows, _, header)
    header["id"] = hashlib.blake2b(data, digest_size=8).hexdigest()
    data = pack_rows(rows, _, header)

    def changed() -> None:
        sent = st.session_state[key].get("change")
        if not isinstance(sent, dict):
            return
        name, text = str(sent.get("name")), str(sent.get("value"))
        if name == "click":
            st.session_state[f"{key}:click"] = text
        else:
            controls.change_value(lesson, name, text)

    stage.show_stage(data, key, changed)
    parts = str(st.session_state.get(f"{key}:click", "")).rsplit(",", 2)
    if len(parts) == 3 and parts[0] in clicks and parts[1].isdigit() and parts[2].isdigit():
        return parts[0], int(parts[1]), int(parts[2])
    return None


def _show_guess(lesson: Lesson, scene: Scene) -> None:
    guess, answer = lesson.guess, lesson.guess.find_answer(scene)
    if not answer:
        return
    given = st.session_state.setdefault(_GUESSED, {}).get(lesson.name)
    if given is None:
        with st.container(key="lesson-guess", gap="small"):
            begin = _("**Guess first.**")
            st.markdown(begin + i18n.sentence_gap() + _(guess.text))
            with st.container(horizontal=True):
                for name, words in guess.options.items():
                    st.button(
                        _(words), key=f"learn:guess:{lesson.name}:{name}", on_click=_take_guess, args=[lesson, name]
                    )
                st.button(
                    _("Just show me"),
                    key=f"learn:guess:{lesson.name}:",
                    on_click=_take_guess,
                    args=[lesson, ""],
                    type="tertiary",
                )
        return
    with st.container(key="lesson-surprise", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            _judge_guess(guess, given, answer)
            words = _("Guess again")
            st.button(
                words, key=f"learn:again:{lesson.name}", on_click=_take_guess, args=[lesson, None], type="tertiary"
            )
        st.markdown(_fill(_(guess.surprise), scene.facts))
    if scene.reveal:
        show_rows(lesson, "reveal", scene.reveal)


def _judge_guess(guess: Guess, given: str, answer: str) -> None:
    right = _(guess.options[answer])
    if given == "":
        st.markdown(f"**{right}.**", width="content")
    elif given == answer:
        st.markdown(_("**Yes: {answer}.**").format(answer=right), width="content")
    else:
        said = _("You said “{given}”. **Here it is: {answer}.**")
        st.markdown(said.format(given=_(guess.options.get(given, "")), answer=right), width="content")


def _fill(text: str, facts: Mapping[str, Any]) -> str:
    from cnn_demo.lessons.words import Words

    return Words(text, facts).fill(str) if facts else text


def _take_guess(lesson: Lesson, given: str | None) -> None:
    guessed: dict[str, str | None] = st.session_state.setdefault(_GUESSED, {})
    guessed[lesson.name] = given


def _show_ways(lesson: Lesson, scene: Scene) -> None:
    with st.container(key="lesson-ways", gap="small"):
        with st.popover(_("The PyTorch lines"), icon=":material/code:"):
            st.caption(_("The running source of this lesson: {module}").format(module=f"`{lesson.code[0].__module__}`"))
            st.code("\n\n".join(inspect.getsource(function).rstrip() for function in lesson.code), language="python")
        _show_downloads(lesson, scene)
        for way in lesson.at_work:
            _link(way)
        if lesson.source:
            st.caption(_("After {source}").format(source=lesson.source))


def _show_downloads(lesson: Lesson, scene: Scene) -> None:
    """The picture for a slide, made when somebody asks for it; the page itself prints without its menus."""
    from cnn_demo.lessons.contents import find_chapter

    chapter = find_chapter(lesson.name)
    title = _(chapter.title) if chapter else lesson.name
    code = i18n.language()  # the bytes are made in another thread, which belongs to no session
    with st.popover(_("A picture for a slide"), icon=":material/download:"):
        for kind in ("png", "svg", "pdf"):
            st.download_button(
                f".{kind}",
                partial(_draw_picture, title, scene, kind, code),
                f"{lesson.name}.{kind}",
                key=f"learn:file:{lesson.name}:{kind}",
                on_click="ignore",
                type="tertiary",
                icon=":material/draft:",
            )


def _draw_picture(title: str, scene: Scene, kind: str, code: str) -> bytes:
    from cnn_demo.lessons.figure import draw_scene
    from cnn_demo.plots.figures import figure_bytes

    with i18n.use(code):
        return figure_bytes(draw_scene(title, scene.rows, _), kind)


def _link(way: AtWork) -> None:
    icon = next(entry.icon for entry in PAGES if entry.path == way.page)
    net = state.get("net")
    params = {**({"net": net} if net else {}), **way.params}
    st.page_link(way.page, label=_(way.label), icon=icon, query_params=params or None)
