"""The form of the Train page: presets, a few settings in sight, the rest under "Advanced", and one launch a token."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.specs import list_specs
from cnn_demo.locales import N_
from cnn_demo.runs import launcher
from cnn_demo.runs.estimate import estimate
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import AUGMENTATIONS, MAX_EMA, MAX_SEED, PRECISIONS, SCHEDULES, ConfigError, TrainConfig
from cnn_demo.ui.shared import machine, names, state
from cnn_demo.ui.shared.i18n import _, worded
from cnn_demo.ui.shared.store import get_store

# The settings a visitor can change here; the others (where the weights come from) are carried along from a run.
FIELDS = (
    "dataset",
    "model",
    "epochs",
    "batch_size",
    "lr",
    "schedule",
    "weight_decay",
    "ema",
    "augment",
    "device",
    "precision",
    "seed",
    "val_fraction",
    "patience",
    "compile",
)
CARRIED = ("init", "collection", "channels_last")
OPTION_TITLES: dict[str, str] = {
    "constant": N_("Constant"),
    "cosine": N_("Cosine, down to zero"),
    "none": N_("None"),
    "handwriting": N_("Handwriting: rotate, scale, shear, shift, thicken"),
    "auto": N_("Automatic"),
    "on": N_("On"),
    "off": N_("Off"),
    "cpu": N_("CPU"),
    "fp32": N_("fp32: single precision"),
    "bf16": N_("bf16: mixed with bfloat16"),
    "fp16": N_("fp16: mixed with half, CUDA only"),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of changes to the defaults."""

    name: str
    title: str
    changes: dict[str, Any]


PRESETS: tuple[Preset, ...] = (
    Preset("quick", N_("Quick look"), {"epochs": 1}),
    Preset("standard", N_("Standard"), {}),
    Preset("early", N_("Stop at the best"), {"epochs": 40, "val_fraction": 0.1, "patience": 5}),
    Preset("full", N_("Full MNIST"), {"dataset": "mnist"}),
    Preset(
        "handwriting",
        N_("Real handwriting"),
        {
            "dataset": "mnist",
            "epochs": 20,
            "lr": 0.002,
            "schedule": "cosine",
            "weight_decay": 0.03,
            "ema": 0.999,
            "augment": "handwriting",
            "val_fraction": 0.1,
        },
    ),
)
_CARRIED_KEY = "train:carried"
_PRESET_KEY = "train:preset"
_TOKEN_KEY = "train:token"
_PROBLEM_KEY = "train:problem"


def session_key(field: str) -> str:
    """Where the session keeps a setting."""
    return f"train:{field}"


def show_form(store: Store) -> None:
    """The whole form, with what it would cost, and the button that launches."""
    _prepare()
    _presets()
    with st.container(border=True):
        _in_sight()
        with st.expander(_("Advanced")):
            _advanced()
    _launch_row(store)


def fill_form(config: TrainConfig) -> None:
    """Put a run's settings into the form (in a callback, before the form is shown)."""
    for field in FIELDS:
        st.session_state[session_key(field)] = getattr(config, field)
    st.session_state[_CARRIED_KEY] = {field: getattr(config, field) for field in CARRIED}


def read_form() -> TrainConfig:
    """The config as the form stands.

    Raises:
        ConfigError: a value that cannot be used; its field is one of :data:`FIELDS`.
    """
    shown = {field: st.session_state[session_key(field)] for field in FIELDS}
    return TrainConfig(**shown, **st.session_state.get(_CARRIED_KEY, {}))


def _prepare() -> None:
    defaults = TrainConfig()
    for field in FIELDS:
        if st.session_state.get(session_key(field)) is None:
            st.session_state[session_key(field)] = getattr(defaults, field)
    st.session_state.setdefault(_TOKEN_KEY, uuid.uuid4().hex)


def _presets() -> None:
    """A button each; the one that the form agrees with is ticked, whoever filled it in.

    Buttons and no choice: a choice has a value, and the browser sends the value of a moment ago along with the next
    click. It would undo the number that was typed just before.
    """
    now = {field: st.session_state[session_key(field)] for field in FIELDS}
    label = _("Start from")
    st.markdown(f":small[{label}]")
    with st.container(horizontal=True, gap="small"):
        for preset in PRESETS:
            st.button(
                _(preset.title),
                key=f"{_PRESET_KEY}:{preset.name}",
                icon=":material/check:" if _values(preset) == now else None,
                on_click=fill_form,
                args=(TrainConfig(**preset.changes),),
            )


def _values(preset: Preset) -> dict[str, Any]:
    config = TrainConfig(**preset.changes)
    return {field: getattr(config, field) for field in FIELDS}


def _option(value: str) -> str:
    return _(OPTION_TITLES.get(value, value))


def _select(field: str, options: list[str], help: str | None = None, format_func: Any = _option) -> None:
    st.selectbox(
        names.setting(field),
        options,
        format_func=worded(options, format_func),
        key=session_key(field),
        help=help,
        persist_state="session",
    )


def _number(field: str, low: Any, high: Any, step: Any, help: str | None = None, format: str | None = None) -> None:
    st.number_input(
        names.setting(field),
        low,
        high,
        step=step,
        format=format,
        key=session_key(field),
        help=help,
        persist_state="session",
    )


def _in_sight() -> None:
    left, middle, right = st.columns([5, 3, 2], gap="medium")
    with left:
        _select("dataset", [spec.name for spec in list_specs()], format_func=names.dataset)
    with middle:
        _select("model", list(names.MODEL_TITLES), format_func=names.model)
    with right:
        _number("epochs", 1, 1000, 1, _("Passes over the training images."))
    _dataset_note(st.session_state[session_key("dataset")])
    carried = st.session_state.get(_CARRIED_KEY, {})
    if carried.get("init"):
        st.caption(_("Starts from the weights of {init}; a preset starts afresh.").format(init=f"`{carried['init']}`"))


def _dataset_note(name: str) -> None:
    spec = names.spec(name)
    if spec is None:
        return
    note = _("Train: {train}. Test: {test}.").format(train=_(spec.train_title), test=_(spec.test_title))
    if not is_available(name):
        size = names.size(spec.download_bytes)
        note += " " + _("Not on this machine yet: {size} will be downloaded first.").format(size=size)
    st.caption(note)


def _advanced() -> None:
    one, two, three = st.columns(3, gap="medium")
    with one:
        _number("lr", 0.0, 10.0, 0.0005, _("Adam's step size at the start. It can be changed while it trains."), "%g")
        _select("schedule", list(SCHEDULES))
        _number(
            "weight_decay",
            0.0,
            1.0,
            0.01,
            _("Each step shrinks the weights by this much, times the learning rate (AdamW); 0 is plain Adam."),
            "%g",
        )
        _number("seed", 0, MAX_SEED, 1, _("Same seed, settings and device: the same weights, bit for bit on the CPU."))
    with two:
        _number("batch_size", 1, 65_536, 32, _("Samples per step."))
        _select("device", _devices())
        _select("precision", list(PRECISIONS))
        _select("compile", ["auto", "on", "off"], _("torch.compile, with CUDA graphs where they help."))
    with three:
        _number(
            "val_fraction",
            0.0,
            0.5,
            0.05,
            _("Part of the training images held out to choose by. The test images are never used to choose anything."),
            "%g",
        )
        _number(
            "patience",
            0,
            1000,
            1,
            _("Stop when the validation loss has not improved for so many epochs; 0 never stops early."),
        )
        _select(
            "augment",
            list(AUGMENTATIONS),
            _(
                "Change the training images a little, differently in every epoch. For digits it also adds strokes of "
                "real and synthetic pens, and signs that are no digit, so that the network learns to doubt. The "
                "training accuracy counts a sign as right when no digit is given half the probability."
            ),
        )
        _number(
            "ema",
            0.0,
            MAX_EMA,
            0.999,
            _(
                "Judge and keep a running mean of the weights instead of the last step's: 0.999 remembers about the "
                "last thousand steps, 0 keeps none. It often does better on images it has not seen."
            ),
            "%g",
        )


def _devices() -> list[str]:
    answer = machine.probe().answer
    found = list(answer.names) if answer else []
    return list(dict.fromkeys(["auto", *found, "cpu", st.session_state[session_key("device")]]))


def _launch_row(store: Store) -> None:
    problem = take_problem()
    config: TrainConfig | None = None
    try:
        config = read_form()
    except ConfigError as error:
        problem = say(error)
    if problem:
        st.error(problem, icon=":material/error:")
    left, right = st.columns([2, 1], gap="medium", vertical_alignment="center")
    if config is not None:
        cost = estimate(config, store)
        left.markdown(_cost(cost.parameters, cost.seconds, cost.basis))
    token = st.session_state[_TOKEN_KEY]
    # The token is part of the key and of the call: whatever a double click sends, it names the same launch.
    right.button(
        _("Start training"),
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key=f"launch:{token}",
        on_click=_launch,
        args=(token,),
        disabled=config is None,
    )


def take_problem() -> str | None:
    """What stood in the way of the last launch, said once."""
    return st.session_state.pop(_PROBLEM_KEY, None)


def _cost(parameters: int, seconds: float | None, basis: str) -> str:
    text = _("**{n}** parameters").format(n=f"{parameters:,}")
    if seconds is None:
        return text
    time = _("about **{time}** here").format(time=names.duration(seconds))
    how = _("as measured on this machine") if basis == "measured" else _("a rough guess until a run was measured")
    return f"{text} · {time} :small[:gray[({how})]]"


def say(error: ConfigError) -> str:
    """A config error in the visitor's language, naming the field as the form does."""
    if error.field == "patience":
        return _("{field}: stopping early needs a validation fraction above 0 to decide by.").format(
            field=f"**{names.setting('patience')}**"
        )
    return _("{field}: {value} cannot be used; it must be {expected}.").format(
        field=f"**{names.setting(error.field)}**", value=error.value, expected=_expected(error.expected)
    )


# The forms in which TrainConfig says what it expects; a test holds them to it.
EXPECTED: tuple[tuple[str, str], ...] = (
    (r"a whole number from (.+) to (.+)", N_("a whole number from {0} to {1}")),
    (r"a number above (.+) and at most (.+)", N_("a number above {0} and at most {1}")),
    (r"a number from (.+) and at most (.+)", N_("a number from {0} to {1}")),
    (r"one of (.+)", N_("one of {0}")),
    (r"at most (\d+) characters", N_("at most {0} characters")),
)


def _expected(english: str) -> str:
    for pattern, message in EXPECTED:
        found = re.fullmatch(pattern, english)
        if found:
            return _(message).format(*found.groups())
    return english


def launch(config: Callable[[], TrainConfig], token: str) -> None:
    """Launch a run in a callback and show it; what stands in the way is said on the page.

    Args:
        config: gives the settings; called here, so that a value that cannot be used is said too.
        token: names the wish. However often it is said, it launches once.
    """
    try:
        run = launcher.launch(get_store(), config(), token=token)
    except ConfigError as error:
        st.session_state[_PROBLEM_KEY] = say(error)
    except (OSError, sqlite3.Error) as error:
        st.session_state[_PROBLEM_KEY] = _("The run could not be created: {reason}").format(reason=error)
    else:
        state.put("run", run.id)


def _launch(token: str) -> None:
    launch(read_form, token)
    if _PROBLEM_KEY not in st.session_state:
        st.session_state[_TOKEN_KEY] = uuid.uuid4().hex
