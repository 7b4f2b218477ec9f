"""The widget of a setting, made from its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cnn_demo.settings.config import ConfigError
from cnn_demo.settings.description import Choice, Flag, Real, Setting, Whole
from cnn_demo.ui.shared import names
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


def show_setting(
    setting: Setting,
    key: str,
    *,
    choices: Mapping[str, str] | None = None,
    problem: ConfigError | None = None,
    **widget: Any,
) -> None:
    """Show the widget of a setting, and under it why its value cannot be used.

    A field for numbers has no bounds: with bounds the browser keeps a value that is out of them to itself, and a run
    would be launched with the one before.

    Args:
        setting: its description.
        key: where the session keeps its value.
        choices: offer these names with their English titles, whatever the kind (the devices of this machine).
        problem: why the value does not go with other settings; what is wrong with it alone is found here.
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
        st.number_input(title, step=kind.step, **more)
    elif isinstance(kind, Real):
        st.number_input(title, step=float(kind.step), format=kind.format, **more)
    elif isinstance(kind, Flag):
        st.checkbox(title, **more)
    else:
        st.text_input(title, **more)
    if found := find_problem(setting, st.session_state[key]) or problem:
        text = names.value_error(found)
        st.caption(f":red[:material/error: {text}]")


def find_problem(setting: Setting, value: object) -> ConfigError | None:
    """Why a value cannot be used, whatever the other settings are; None where it can."""
    try:
        setting.check(value)
    except ConfigError as error:
        return error
    return None
