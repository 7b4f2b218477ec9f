"""Which network and which formats; how 8 bits are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cnn_demo.export.formats import FORMATS, THRESHOLDS, list_missing, write_install_command
from cnn_demo.locales import N_
from cnn_demo.settings.description import Choice, Flag, Real, Setting, Whole
from cnn_demo.ui.export.export_process import Wish, write_options
from cnn_demo.ui.shared import i18n, picker, state
from cnn_demo.ui.shared.i18n import _

PARAM = "formats"
_USUAL = ("onnx", "int8", "html")
_KEY = "export:formats"
# Formats whose options are asked for, and over which title.
_CHOSEN = {
    "onnx_prepared": N_("What the file takes"),
    "int8": N_("How the 8 bits are found"),
    "tensorrt": N_("How the engine computes"),
}


def choose_wish() -> Wish | None:
    """The selectors; None where there is nothing to export (which was said)."""
    network = picker.choose_network()
    if network.missing:
        st.info(_("It has no checkpoint yet; the first comes as soon as it trains."), icon=":material/hourglass_empty:")
        return None
    photo = network.ref.kind == "imagenet"
    names = [entry.name for entry in FORMATS if not list_missing(entry.name)]
    formats = _choose_formats(names)
    _say_missing()
    options: dict[str, Any] = {}
    for name, title in _CHOSEN.items():
        if name in formats:
            with st.expander(_(title), icon=":material/tune:"):
                options |= _choose_options(name, FORMATS.get(name).options)
    receipt = not photo and any(FORMATS.get(name).facts.get("runs") for name in formats)
    if receipt:
        with st.expander(_("What must hold in the receipt"), icon=":material/rule:"):
            asked = _choose_options("receipt", THRESHOLDS)
        options |= {
            setting.name: asked[setting.name] for setting in THRESHOLDS if asked[setting.name] != setting.default
        }
    if not formats:
        st.info(_("Choose at least one format."), icon=":material/checklist:")
        return None
    return Wish(
        str(network.exact),
        tuple(formats),
        write_options(options),
        receipt=receipt,
    )


def _choose_formats(names: list[str]) -> list[str]:
    asked = [name for name in (state.get(PARAM) or "").split(",") if name in names]
    chosen = st.session_state.get(_KEY)
    if not isinstance(chosen, list):
        chosen = asked or [name for name in _USUAL if name in names]
    st.session_state[_KEY] = [name for name in chosen if name in names]
    words = {name: _(FORMATS.get(name).title) for name in names}
    st.pills(
        _("Formats"),
        names,
        key=_KEY,
        selection_mode="multi",
        format_func=i18n.worded(words, words.__getitem__),
        on_change=lambda: state.put(PARAM, ",".join(st.session_state[_KEY]) or None),
    )
    found = [name for name in names if name in st.session_state[_KEY]]  # in the order of the table
    st.markdown("\n".join(f"- **{words[name]}**: {_(FORMATS.get(name).help)}" for name in found))
    return found


def _say_missing() -> None:
    for entry in FORMATS:
        missing = list_missing(entry.name)
        if missing:
            words = _("{format} needs {packages}, not installed here: {command}")
            if entry.facts.get("gpu"):
                words = _("{format} needs an NVIDIA GPU and {packages}, not installed here: {command}")
            command = write_install_command(entry.name)
            st.caption(words.format(format=_(entry.title), packages=", ".join(missing), command=f"`{command}`"))


def _choose_options(name: str, options: Sequence[Setting]) -> dict[str, Any]:
    """A widget for each option of a format, side by side; text that is empty is left out."""
    values: dict[str, Any] = {}
    places = st.columns(4)
    for number, option in enumerate(options):
        with places[number % len(places)]:
            key, label, help_words = f"export:{name}:{option.name}", _(option.title), _(option.help)
            if isinstance(option.kind, Choice):
                words = {entry.name: _(entry.title) for entry in option.kind.entries()}
                st.session_state.setdefault(key, option.default)
                values[option.name] = st.selectbox(
                    label, list(words), key=key, format_func=i18n.worded(words, words.__getitem__), help=help_words
                )
            elif isinstance(option.kind, Whole):
                low, high = option.kind.low, option.kind.high
                st.session_state.setdefault(key, option.default)
                values[option.name] = st.number_input(
                    label, low, high, step=option.kind.step or 1, key=key, help=help_words
                )
            elif isinstance(option.kind, Real):
                least, most = float(option.kind.low), float(option.kind.high)
                st.session_state.setdefault(key, float(option.default))
                values[option.name] = st.number_input(
                    label, least, most, step=option.kind.step, format=option.kind.format, key=key, help=help_words
                )
            elif isinstance(option.kind, Flag):
                values[option.name] = st.toggle(label, option.default, key=key, help=help_words)
            else:
                values[option.name] = st.text_input(label, key=key, placeholder="conv1, fc2", help=help_words).strip()
    return values
