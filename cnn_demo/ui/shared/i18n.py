"""The visitor's language: found in the link, chosen in the sidebar, or taken from the browser.

Pages write ``_("English text")``; gettext catalogs under ``cnn_demo/locales`` hold the rest. Streamlit serves every
visitor from threads of one process, so the language belongs to the session and is looked up at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnn_demo.locales import SOURCE, load_catalog

LANGUAGES: dict[str, str] = {"en": "English", "zh_CN": "中文"}
PARAM = "lang"

_SESSION = "lang"
_PAINTED = "lang:painted"
_override: ContextVar[str | None] = ContextVar("language", default=None)


def match(tag: str | None) -> str | None:
    """The language we have for a browser tag or a ``?lang=`` value, or None.

    ``zh``, ``zh-CN``, ``zh_Hans_CN`` and ``zh-TW`` all give ``zh_CN``; ``en-GB`` gives ``en``.
    """
    prefix = (tag or "").replace("_", "-").split("-")[0].lower()
    return next((code for code in LANGUAGES if code.split("_")[0] == prefix), None)


def language() -> str:
    """The language in force here: inside :func:`use`, else this session's, else English."""
    forced = _override.get()
    if forced:
        return forced
    if get_script_run_ctx(suppress_warning=True) is None:  # a test, a download thread: nobody's session
        return SOURCE
    return st.session_state.get(_SESSION) or match(st.context.locale) or SOURCE


def activate() -> str:
    """Settle the language at the start of a page run and return it.

    A valid ``?lang=`` wins. A choice made earlier in the session is written back to the URL, which a change of page
    has emptied, so that the address in the browser's bar is always one that can be sent to somebody.
    """
    wanted = match(st.query_params.get(PARAM))
    if wanted:
        st.session_state[_SESSION] = wanted
    elif st.session_state.get(_SESSION):
        st.query_params[PARAM] = st.session_state[_SESSION]
    code = language()
    if st.session_state.get(_PAINTED, code) != code:
        _keep_choices()
    st.session_state[_PAINTED] = code
    return code


def _keep_choices() -> None:
    """Hold what the visitor has chosen while the options change their words.

    Streamlit stores the choice of a selectbox, of pills or a radio as the text that was shown, so that a translated
    option would fall back to the default. Writing the value again stores it under its new text. Only names (str) and
    lists of them are touched: a button's value may not be written.
    """
    for key, value in list(st.session_state.items()):
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            st.session_state[key] = value


def choose_language(code: str) -> None:
    """Switch this session to a language of :data:`LANGUAGES`, in the URL too."""
    st.session_state[_SESSION] = code
    st.query_params[PARAM] = code


@contextmanager
def use(code: str) -> Iterator[None]:
    """Translate to one language within the block, whoever the visitor is (downloads made in another thread)."""
    token = _override.set(code)
    try:
        yield
    finally:
        _override.reset(token)


def _(message: str) -> str:
    """The message in the visitor's language."""
    return load_catalog(language()).gettext(message) if message else ""


def sentence_gap() -> str:
    """What stands between two sentences: a space, and nothing behind a Chinese full stop."""
    return "" if language() == "zh_CN" else " "


def ngettext(singular: str, plural: str, n: int) -> str:
    """The message for ``n`` things in the visitor's language."""
    return load_catalog(language()).ngettext(singular, plural, n)


def worded(options: Iterable[str], title: Callable[[str], str]) -> Callable[[str], str]:
    """A ``format_func`` for translated options, with the words of this run in it.

    Streamlit may call it later from a thread that belongs to no session, where ``_()`` would answer in English.

    Args:
        options: what can be chosen.
        title: the words for one option, in the visitor's language.
    """
    words = {option: title(option) for option in options}
    return lambda option: words.get(option, option)
