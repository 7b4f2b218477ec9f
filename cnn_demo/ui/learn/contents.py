"""The list of lessons, and the way from one to the next."""

from __future__ import annotations

import streamlit as st

from cnn_demo.lessons.contents import CHAPTERS, Chapter, find_chapter
from cnn_demo.locales import N_
from cnn_demo.ui.learn import progress
from cnn_demo.ui.shared import layout, state
from cnn_demo.ui.shared.i18n import _

PARAM = "lesson"


def find_chosen() -> Chapter | None:
    """The lesson of the address; None for the list."""
    name = state.get_or_go_back(PARAM)
    return find_chapter(name) if name else None


def say_unknown() -> None:
    """Say that the address names no lesson, where it does not."""
    name = st.query_params.get(PARAM)
    if name and find_chapter(name) is None:
        layout.not_found(_("There is no lesson “{name}”.").format(name=name[:40]))


def show_contents() -> None:
    """All lessons in the order in which one would teach them."""
    right = progress.load_progress()
    for number, chapter in enumerate(CHAPTERS, 1):
        with st.container(key=f"chapter-{chapter.name}"):
            left, middle, end = st.columns([4, 7, 2], vertical_alignment="center")
            left.button(
                f"{number}. {_(chapter.title)}",
                key=f"learn:open:{chapter.name}",
                type="tertiary",
                on_click=open_lesson,
                args=[chapter.name],
            )
            middle.markdown(_(chapter.lead))
            done = right.get(chapter.name, 0)
            if done:
                end.markdown(_(":green[{n} of 3 right]").format(n=done))


def open_lesson(name: str | None) -> None:
    """Go to a lesson, or to the list with None; what only the last one had leaves the address."""
    keep = {"net", "sample", "input", "lang"}
    for param in [param for param in st.query_params if param not in keep]:
        del st.query_params[param]
    state.put(PARAM, name)


def show_path(chapter: Chapter) -> bool:
    """Back to the list, and to the lessons before and after; whether the questions are wanted."""
    place = CHAPTERS.index(chapter)
    parts = {"experiment": N_("Experiment"), "questions": N_("Three questions")}
    part = state.choose_view("part", _("Part of the lesson"), parts, key="learn:part")
    st.button(_("All lessons"), icon=":material/list:", on_click=open_lesson, args=[None], type="tertiary")
    if place > 0:
        before = CHAPTERS[place - 1]
        words = f"{place}. {_(before.title)}"
        st.button(words, icon=":material/arrow_back:", on_click=open_lesson, args=[before.name], type="tertiary")
    if place + 1 < len(CHAPTERS):
        after = CHAPTERS[place + 1]
        words = f"{place + 2}. {_(after.title)}"
        st.button(words, icon=":material/arrow_forward:", on_click=open_lesson, args=[after.name], type="tertiary")
    return part == "questions"
