"""The builder on the Train page: a table of layers with what each comes to, and the PyTorch code of the whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from cnn_demo import models
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.locales import N_
from cnn_demo.models.builder_code import write_code
from cnn_demo.models.layer_arithmetic import Planned
from cnn_demo.models.layer_list import LAYERS, MAX_ROWS, MAX_TEXT, Row, format_rows, parse_rows
from cnn_demo.models.layer_plan import MAX_MULTIPLY_ADDS, MAX_PARAMETERS, MAX_VALUES, Plan, Problem, plan_rows
from cnn_demo.settings.config import ConfigError
from cnn_demo.settings.description import Flag, Real, Setting, Whole
from cnn_demo.settings.errors import fill
from cnn_demo.ui.components.layer_table import show_layer_table
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _, worded
from cnn_demo.ui.train.widgets import prepare_setting, show_setting

_TABLE_KEY = "train:layer-table"
_START_KEY = "train:layers-from"
_HUGE = 10**9  # what a browser sends beyond it is refused all the same, in fewer digits
_WORDS: dict[str, str] = {
    "layer": N_("Layer"),
    "shape": N_("Output shape"),
    "parameters": N_("Parameters"),
    "multiply_adds": N_("Multiply-adds"),
    "field": N_("Receptive field"),
    "memory": N_("Memory"),
    "add": N_("Add a layer"),
    "up": N_("Move up"),
    "down": N_("Move down"),
    "insert": N_("Insert a layer below"),
    "remove": N_("Remove"),
    "yes": N_("yes"),
    "no": N_("no"),
    "auto": N_("auto"),
    "total": N_("Total for one image"),
}


def show_builder(option: Setting, key: str, dataset: str) -> None:
    """Everything with which a visitor puts layers together.

    Args:
        option: the setting that holds the text of the layers.
        key: where the session keeps that text.
        dataset: the chosen one; its images decide the shapes.
    """
    spec = names.spec(dataset)
    if spec is None:
        return
    prepare_setting(option, key)
    _show_start(key, spec)
    plan = None
    try:
        rows = parse_rows(st.session_state[key])
    except ConfigError as error:
        st.error(names.config_error(error), icon=":material/error:")
    else:
        plan = plan_rows(rows, spec.channels, spec.size, len(spec.classes))
        data = {"rows": _describe_rows(rows, key), **_describe_plan(plan, len(rows)), **_describe_kinds()}
        show_layer_table(data, _TABLE_KEY, lambda: _take_edit(key))
        st.caption(_describe_limits(spec))
    with st.expander(_("As text, and as PyTorch code")):
        show_setting(option, key)
        if plan and not plan.problem:
            st.code(write_code(plan, spec.channels, spec.size, len(spec.classes)), language="python")
        elif plan:
            st.caption(_("There is code once every layer works."))


@cache
def _load_sequences() -> dict[str, dict[str, str]]:
    path = Path(models.__file__).with_name("sequences.json")
    return dict(json.loads(path.read_text("utf-8")))


def _show_start(key: str, spec: DatasetSpec) -> None:
    shape = f"{spec.channels}x{spec.size}x{len(spec.classes)}"
    found = {name: texts[shape] for name, texts in _load_sequences().items() if shape in texts}
    titles = {name: _("The layers of the start") if name == "builder" else names.model(name) for name in found}
    st.menu_button(
        _("Start from a model"),
        list(found),
        key=_START_KEY,
        icon=":material/content_copy:",
        help=_("Takes the place of the layers below."),
        format_func=worded(found, titles.__getitem__),
        on_click=lambda: _start_from(key, found),
    )


def _start_from(key: str, texts: Mapping[str, str]) -> None:
    st.session_state[key] = texts[st.session_state[_START_KEY]]


def _sent() -> Mapping[str, Any]:
    """The last edit of the browser; empty where there was none."""
    edit = st.session_state.get(_TABLE_KEY, {}).get("edit")
    return edit if isinstance(edit, Mapping) else {}


def _take_edit(key: str) -> None:
    text = format_rows(clean_rows(_sent().get("rows")))
    if len(text) <= MAX_TEXT:
        st.session_state[key] = text


def clean_rows(sent: object) -> tuple[Row, ...]:
    """What a browser sent as rows, without anything that is none. Values out of range stay, to be explained."""
    rows = []
    for row in sent[:MAX_ROWS] if isinstance(sent, list) else []:
        if not isinstance(row, Mapping) or row.get("kind") not in LAYERS or not isinstance(row.get("values"), Mapping):
            continue
        values: dict[str, Any] = {}
        for option in LAYERS.get(row["kind"]).options:
            value = row["values"].get(option.name)
            if isinstance(option.kind, Flag) and isinstance(value, bool):
                values[option.name] = value
            elif not isinstance(option.kind, Flag) and isinstance(value, int | float) and not isinstance(value, bool):
                near = min(max(value, -_HUGE), _HUGE) if value == value else 0
                values[option.name] = int(near) if near == int(near) and isinstance(option.kind, Whole) else near
        rows.append(Row(row["kind"], values))
    return tuple(rows)


def _describe_rows(rows: Sequence[Row], key: str) -> list[dict[str, Any]]:
    """The rows as the browser has them, where it is they that the text says: what is typed is not written anew."""
    own = clean_rows(_sent().get("rows"))
    shown = own if own and format_rows(own) == st.session_state[key] else rows
    return [{"kind": row.kind, "values": dict(row.values)} for row in shown]


def _describe_plan(plan: Plan, count: int) -> dict[str, Any]:
    """The figures of each row, what is added behind them, and the sums."""
    answers: list[dict[str, Any]] = [{} for _row in range(count)]
    added: list[dict[str, Any]] = []
    for place, layer in enumerate(plan.layers):
        if layer.added:
            title = _("{layer} (added)").format(layer=_(LAYERS.get(layer.kind).title))
            added.append({"title": title, "figures": _figures(layer)})
        else:
            answers[place] = {"figures": _figures(layer), "filled": _fill_in(layer)}
    problem = plan.problem
    if problem and problem.row < count:
        answers[problem.row] |= {"problem": _say_problem(problem), "change": _describe_change(problem)}
    elif problem:
        added.append({"title": problem.text, "problem": _say_problem(problem)})
    sums = {"parameters": plan.parameters, "multiply_adds": plan.multiply_adds}
    total = {name: f"{value:,}" for name, value in sums.items()} | {"memory": _kibibytes(plan.memory)}
    return {
        "answers": answers,
        "added": added,
        "total": None if problem else total,
        "echo": int(_sent().get("n", 0)),
        "limit": MAX_ROWS,
    }


def _figures(layer: Planned) -> dict[str, str]:
    return {
        "shape": " × ".join(map(str, layer.shape)),
        "parameters": f"{layer.parameters:,}" if layer.parameters else "–",
        "multiply_adds": f"{layer.multiply_adds:,}" if layer.multiply_adds else "–",
        "field": f"{layer.reach.widest} × {layer.reach.widest}",
        "memory": _kibibytes(layer.memory),
    }


def _kibibytes(count: int) -> str:
    return f"{count / 1024:,.1f} KiB" if count >= 1024 else f"{count} B"


def _fill_in(layer: Planned) -> dict[str, Any]:
    """What settings come to that were left empty."""
    made = {"bias": layer.call.options.get("bias", True), "channels": layer.shape[0]}
    made |= {"padding": layer.call.options.get("padding", 0)}
    if layer.kind in ("max-pool", "avg-pool"):
        made["stride"] = layer.call.options.get("stride", layer.call.args[0])
    defaults = {option.name: option.default for option in LAYERS.get(layer.kind).options}
    return {name: made.get(name) if default is None else default for name, default in defaults.items()}


def _say_problem(problem: Problem) -> str:
    said = fill(_(problem.message), dict(problem.values))
    return _("Layer {number} must be {expected}.").format(number=problem.row + 1, expected=said)


def _describe_change(problem: Problem) -> dict[str, Any] | None:
    """The nearest that works, as a button."""
    change = problem.change
    if change is None:
        return None
    if change.action == "set":
        options = LAYERS.get(problem.text.split()[0]).options
        title = next(option.title for option in options if option.name == change.name)
        label = _("Nearest that works: {setting} = {value}").format(setting=_(title), value=change.value)
    elif change.action == "insert":
        label = _("Insert {layer} here").format(layer=_(LAYERS.get(change.name).title))
    else:
        label = _("Remove this layer")
    return {"action": change.action, "name": change.name, "value": change.value, "label": label}


def _describe_kinds() -> dict[str, Any]:
    kinds = [
        {"name": entry.name, "title": _(entry.title), "options": [_describe_option(o) for o in entry.options]}
        for entry in LAYERS
    ]
    return {"kinds": kinds, "words": {name: _(word) for name, word in _WORDS.items()}}


def _describe_option(option: Setting) -> dict[str, Any]:
    kind = option.kind
    described: dict[str, Any] = {"name": option.name, "title": _(option.title), "help": _(option.help)}
    described |= {"default": option.default, "type": "flag"}
    if isinstance(kind, Whole | Real):
        described |= {"type": "whole" if isinstance(kind, Whole) else "real", "low": kind.low, "high": kind.high}
        described["step"] = 1 if isinstance(kind, Whole) else 0.05
    return described


def _describe_limits(spec: DatasetSpec) -> str:
    return _(
        "For images of {shape}. The end is one logit for each of the {classes} classes: a last linear layer of that "
        "width, or one that is added. The memory is that of the values in single precision. At most {rows} layers, "
        "{parameters} parameters, {multiply_adds} multiply-adds and {values} values an image."
    ).format(
        shape=f"{spec.channels} × {spec.size} × {spec.size}",
        classes=len(spec.classes),
        rows=MAX_ROWS,
        parameters=f"{MAX_PARAMETERS:,}",
        multiply_adds=f"{MAX_MULTIPLY_ADDS:,}",
        values=f"{MAX_VALUES:,}",
    )
