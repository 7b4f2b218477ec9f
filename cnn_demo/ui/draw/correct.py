"""Correct the network: "it was a …" keeps the drawing, and what was kept can be taught to a network."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import streamlit as st

from cnn_demo.runs.collection import Collection, Entry, new_name
from cnn_demo.settings.config import COLLECTION_NAME
from cnn_demo.ui.draw import teach
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer
from cnn_demo.ui.draw.why import select_answer
from cnn_demo.ui.shared import state
from cnn_demo.ui.shared.i18n import _, ngettext
from cnn_demo.ui.shared.store import get_store

_PARAM, _COOKIE = "collection", "cnn_lab_collection"
_LABEL, _BROWSE, _PAGE, _SAID = "draw:it-was", "draw:browse", "draw:browse-page", "draw:kept"
_SHOWN = 12


def show_correction(answers: list[Answer], picture: Picture) -> None:
    """Keep this drawing, look at those kept, teach them."""
    if not answers:
        st.caption(_("Choose a network that can be read first."))
        return
    answer = select_answer(answers, "draw:correct-network")
    left, right = st.columns([5, 4], gap="large")
    with left:
        _keep(answer, picture)
        _browse(current_collection())
    with right:
        teach.show_teaching(answer, current_collection())


def current_collection() -> Collection | None:
    """This visitor's collection: named by the link, else by a cookie of this browser; None before the first drawing.

    Its name cannot be guessed, so nobody sees another's digits; a link that carries it shares them on purpose.
    """
    name = state.get(_PARAM) or ""
    if not COLLECTION_NAME.fullmatch(name):
        name = str(st.context.cookies.get(_COOKIE, ""))
        if not COLLECTION_NAME.fullmatch(name):
            return None
    return Collection(get_store().home / "collection", name)


def _keep(answer: Answer, picture: Picture) -> None:
    said = st.session_state.pop(_SAID, None)
    if said:
        st.toast(said[0], icon=said[1])
        _remember_in_browser()
    nothing = picture.image is None or answer.prediction.verdict.kind == "empty"
    titles = [_(name) for name in answer.spec.classes]
    label = st.pills(
        _("It was a …"),
        range(len(titles)),
        key=_LABEL,
        format_func=lambda i: titles[i],
        disabled=nothing,
        help=_("Keeps the drawing with this label in your collection."),
    )
    st.button(
        _("Keep this drawing"),
        key="draw:keep",
        icon=":material/bookmark_add:",
        disabled=nothing or label is None,
        on_click=_kept,
        args=(answer, picture),
    )


def _kept(answer: Answer, picture: Picture) -> None:
    label = st.session_state[_LABEL]
    if label is None or picture.image is None:
        return
    collection = current_collection()
    if collection is None:
        name = new_name()
        state.put(_PARAM, name)
        collection = Collection(get_store().home / "collection", name)
    verdict = answer.prediction.verdict
    try:
        collection.add(
            np.asarray(picture.image),
            label,
            answer.spec,
            predicted=answer.spec.classes[verdict.top],
            network=answer.loaded.key,
        )
    except OSError as error:
        st.session_state[_SAID] = (
            _("The drawing could not be kept: {reason}").format(reason=error),
            ":material/warning:",
        )
        return
    state.put(_PARAM, collection.name)
    st.session_state[_LABEL] = None
    st.session_state[_SAID] = (_("Kept as {word}.").format(word=answer.word(label)), ":material/bookmark_added:")


def _remember_in_browser() -> None:
    """The browser finds its collection again without the link."""
    collection = current_collection()
    if collection is not None:
        year = 31_536_000
        cookie = f"{_COOKIE}={collection.name}; path=/; max-age={year}; samesite=strict"
        st.html(f"<script>document.cookie = '{cookie}'</script>", unsafe_allow_javascript=True)


def _browse(collection: Collection | None) -> None:
    entries = collection.entries() if collection else []
    if collection is None or not entries:
        st.caption(_("Your collection is empty. What you keep stays on this machine, under a name only you have."))
        return
    n = len(entries)
    words = ngettext("{n} drawing in your collection.", "{n} drawings in your collection.", n).format(n=f"{n:,}")
    wrong = sum(bool(e.predicted) and e.predicted != e.word for e in entries)
    misread = _("The network had {wrong} of them wrong when they were kept.").format(wrong=f"{wrong:,}")
    st.markdown(f"{words} {misread}")
    with st.container(horizontal=True, vertical_alignment="center"):
        browse = st.toggle(_("Look at them"), key=_BROWSE, persist_state="session")
        st.download_button(
            _("Export · .zip"),
            collection.zip,
            f"drawings-{datetime.now():%Y-%m-%d}.zip",
            key="draw:zip",
            on_click="ignore",
            icon=":material/download:",
            type="tertiary",
            help=_("All images and a table with their labels (CSV)."),
        )
        with st.popover(_("Delete all"), type="tertiary", icon=":material/delete:"):
            st.caption(_("This cannot be undone. Networks that were taught with them stay."))
            st.button(_("Delete all drawings"), key="draw:delete-all", on_click=collection.clear, type="primary")
    if browse:
        _gallery(collection, entries)


def _gallery(collection: Collection, entries: list[Entry]) -> None:
    pages = -(-len(entries) // _SHOWN)
    page = 1
    if pages > 1:
        st.session_state[_PAGE] = min(st.session_state.get(_PAGE) or 1, pages)
        page = st.number_input(_("Page, of {n}").format(n=pages), 1, pages, key=_PAGE, width=150)
    newest = entries[::-1][(page - 1) * _SHOWN : page * _SHOWN]
    with st.container(horizontal=True, gap="small"):
        for entry in newest:
            with st.container(width=104, gap=None):
                path = collection.picture_path(entry.id)
                st.image(path.read_bytes() if path.is_file() else np.zeros((8, 8), np.uint8), width=96)
                read_as = _("read as {word}").format(word=_(entry.predicted)) if entry.predicted else ""
                st.markdown(f"**{_(entry.word)}** :small[:gray[{read_as}]]")
                st.button(
                    _("Delete"),
                    key=f"draw:delete:{entry.id}",
                    type="tertiary",
                    icon=":material/close:",
                    on_click=collection.delete,
                    args=(entry.id,),
                )
