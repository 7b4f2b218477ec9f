"""The controls of a lesson as widgets, kept in the address by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.ui.shared import i18n
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.lessons.controls import AnyControl
    from cnn_demo.lessons.lesson import Lesson

_KEPT = "learn:values"  # in the session: the texts of the controls, by lesson
SEED, HIDDEN = "seed", "answers"  # also in the address of a lesson


def load_values(lesson: Lesson) -> dict[str, Any]:
    """The values of all controls: those of the address, else those that this visitor left, else the defaults."""
    from cnn_demo.lessons.controls import read_values

    kept: dict[str, dict[str, str]] = st.session_state.setdefault(_KEPT, {})
    names = [control.name for control in lesson.controls]
    asked = {name: st.query_params[name] for name in names if name in st.query_params}
    texts = asked if asked else kept.get(lesson.name, {})
    values, wrong = read_values(lesson.controls, texts)
    for name in wrong:
        label = next(_(control.label) for control in lesson.controls if control.name == name)
        st.warning(
            _("The link says {text} for “{label}”, which cannot be. The lesson begins with its own value.").format(
                text=f"`{texts[name][:40]}`", label=label
            ),
            icon=":material/link_off:",
        )
    keep_values(lesson, values)
    return values


def keep_values(lesson: Lesson, values: Mapping[str, Any]) -> None:
    """Put the values into the session and the address; what is at its default is left out."""
    from cnn_demo.lessons.controls import write_values

    texts = write_values(lesson.controls, values)
    st.session_state.setdefault(_KEPT, {})[lesson.name] = texts
    for control in lesson.controls:
        if control.name in texts:
            st.query_params[control.name] = texts[control.name]
        else:
            st.query_params.pop(control.name, None)


def change_value(lesson: Lesson, name: str, text: str) -> None:
    """Take a value that the stage has sent; one that cannot be is dropped."""
    from cnn_demo.lessons.controls import Cells, read_values

    control = next((control for control in lesson.controls if control.name == name), None)
    if control is None:
        return
    values = _read_kept(lesson)
    found, wrong = read_values([control], {name: text})
    if wrong:
        return
    values[name] = found[name]
    if isinstance(control, Cells) and control.sets:
        values[control.sets[0]] = control.sets[1]
    keep_values(lesson, values)


def reset_values(lesson: Lesson) -> None:
    """All controls at their defaults."""
    keep_values(lesson, {})


def _read_kept(lesson: Lesson) -> dict[str, Any]:
    from cnn_demo.lessons.controls import read_values

    return read_values(lesson.controls, st.session_state.get(_KEPT, {}).get(lesson.name, {}))[0]


def clear_address(lesson_names: set[str]) -> None:
    """Take the controls of other lessons out of the address."""
    for name in [name for name in st.query_params if name in lesson_names]:
        del st.query_params[name]


def show_controls(lesson: Lesson, values: Mapping[str, Any]) -> None:
    """The widgets of those controls that have a meaning now, and a button that puts all at rest."""
    from cnn_demo.lessons.controls import Cells, Painting

    shown = [
        c for c in lesson.controls if c.is_shown(values) and not isinstance(c, Cells | Painting) and c.name != "at"
    ]
    for control in shown:
        _show_control(lesson, control, values[control.name])
    st.button(_("As it was"), icon=":material/undo:", on_click=reset_values, args=[lesson], type="tertiary")


def _show_control(lesson: Lesson, control: AnyControl, value: Any) -> None:
    from cnn_demo.lessons.controls import Choice, Slider, Switch

    key = f"learn:{lesson.name}:{control.name}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value

    def changed() -> None:
        values = _read_kept(lesson)
        values[control.name] = st.session_state[key]
        keep_values(lesson, values)

    label, help_words = _(control.label), _(control.help) or None
    if isinstance(control, Slider):
        low, high, step = (type(value)(end) for end in (control.low, control.high, control.step))
        st.slider(label, low, high, step=step, key=key, on_change=changed, help=help_words)
    elif isinstance(control, Choice):
        words = {name: _(title) for name, title in control.options.items()}
        st.selectbox(
            label,
            list(words),
            key=key,
            format_func=i18n.worded(words, words.__getitem__),
            on_change=changed,
            help=help_words,
        )
    elif isinstance(control, Switch):
        st.toggle(label, key=key, on_change=changed, help=help_words)
