"""The widget of a setting, made from its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cnn_demo.settings.description import Choice, Flag, Real, Setting, Whole
from cnn_demo.ui.shared.i18n import _, worded


def prepare_setting(setting: Setting, key: str) -> None:
    """Give a widget its default where the session holds nothing, or a choice that there is no longer."""
    value = st.session_state.get(key)
    if value is None or (isinstance(setting.kind, Choice) and not setting.kind.accepts(value)):
        value = setting.default
    if isinstance(setting.kind, Real):
        value = float(value)  # a number input's value has the type of its bounds
    # A value that is written again would undo what is being typed.
    if key not in st.session_state or value is not st.session_state[key]:
        st.session_state[key] = value


def show_setting(setting: Setting, key: str, *, choices: Mapping[str, str] | None = None, **widget: Any) -> None:
    """Show the widget of a setting.

    Args:
        setting: its description.
        key: where the session keeps its value.
        choices: offer these names with their English titles, whatever the kind (the devices of this machine).
        widget: what else the widget is told, such as ``on_change``.
    """
    prepare_setting(setting, key)
    title, kind = _(setting.title), setting.kind
    more: dict[str, Any] = {"key": key, "help": _(setting.help) or None, "persist_state": "session", **widget}
    if choices is None and isinstance(kind, Choice):
        choices = {entry.name: entry.title for entry in kind.entries()}
    if choices is not None:
        words = {name: _(title) for name, title in choices.items()}
        st.selectbox(title, list(words), format_func=worded(words, words.__getitem__), **more)
    elif isinstance(kind, Whole):
        st.number_input(title, kind.low, kind.high, step=kind.step, **more)
    elif isinstance(kind, Real):
        st.number_input(title, float(kind.low), float(kind.high), step=float(kind.step), format=kind.format, **more)
    elif isinstance(kind, Flag):
        st.checkbox(title, **more)
    else:
        st.text_input(title, **more)
