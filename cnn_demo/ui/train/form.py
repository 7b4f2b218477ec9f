"""The form of the Train page: presets, a few settings in sight, the rest under "Advanced", and one launch a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.datasets.files import is_available
from cnn_demo.locales import N_
from cnn_demo.models.layer_list import LayerText
from cnn_demo.runs.estimate import estimate
from cnn_demo.runs.finetune import check_origin
from cnn_demo.settings.config import SETTINGS, ConfigError, TrainConfig, list_settings
from cnn_demo.settings.description import Group, Place, Setting
from cnn_demo.settings.precision import suit_precision
from cnn_demo.settings.presets import PRESETS, Preset
from cnn_demo.ui.components.decimal_comma import accept_decimal_commas
from cnn_demo.ui.shared import launching, machine, names, state
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.train import builder, precision, rate_test, rates
from cnn_demo.ui.train.preview import show_preview
from cnn_demo.ui.train.widgets import find_problem, prepare_setting, show_setting

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

# Settings that the form does not show and that "use these settings" carries along; a secret is not among them.
CARRIED = tuple(
    setting.name
    for setting in SETTINGS.values()
    if setting.place == "hidden" and setting.group != "remark" and not setting.secret
)
# The columns under "Advanced", by the owners of their settings.
_COLUMNS: tuple[tuple[Group, ...], ...] = (("optimization",), ("compute",), ("data", "model"))
_MOST_IN_A_COLUMN = 6  # options under their choice
_SIDE_BY_SIDE = 4
_CARRIED_KEY = "train:carried"
_PRESET_KEY = "train:preset"
_NAME_KEY = "train:name"
PLACE = "train"  # of the button, for ui.shared.launching


def session_key(field: str) -> str:
    """Where the session keeps a setting."""
    return f"train:{field}"


def show_form(store: Store) -> None:
    """The whole form, with what it would cost, and the button that launches."""
    _prepare()
    _show_presets(store)
    with st.container(border=True):
        _show_in_sight()
        with st.expander(_("Advanced")):
            _show_advanced()
            below = st.container()
    _show_launch_row(store)
    accept_decimal_commas("train:decimal-commas")  # outside of what is folded away
    with below:
        show_preview(_read_session())  # last: its first call loads PyTorch, and the button need not wait for that


def fill_form(config: TrainConfig) -> None:
    """Put a run's settings into the form (in a callback, before the form is shown)."""
    for field, value in shown_values(config).items():
        st.session_state[session_key(field)] = value
    st.session_state[_CARRIED_KEY] = {field: getattr(config, field) for field in CARRIED}


def shown_values(config: TrainConfig) -> dict[str, Any]:
    """The settings of a config that the form shows, with the options of its choices."""
    values = config.values()
    return {name: values[name] for name, setting in config.described().items() if setting.place != "hidden"}


def read_form() -> TrainConfig:
    """The config as the form stands.

    Raises:
        ConfigError: a value that cannot be used; its field is one that the form shows.
    """
    config = TrainConfig.from_values({**_read_session(), **st.session_state.get(_CARRIED_KEY, {})})
    precision.check_precision_here(config)
    return config


def find_problems() -> list[ConfigError]:
    """Every value of the form that cannot be used; where each can, the first that does not go with the others."""
    values = _read_session()
    alone = [find_problem(setting, values[name]) for name, setting in list_settings(values).items() if name in values]
    if found := [problem for problem in alone if problem is not None]:
        return found
    try:
        read_form()
    except ConfigError as error:
        return [error]
    return []


def _find_problem_of(setting: Setting) -> ConfigError | None:
    return next((problem for problem in find_problems() if problem.field == setting.name), None)


def _read_session() -> dict[str, Any]:
    """What the form shows, by name: the settings and the options of what is chosen."""
    chosen = {name: st.session_state.get(session_key(name), setting.default) for name, setting in SETTINGS.items()}
    described = list_settings(chosen)
    return {
        name: st.session_state.get(session_key(name), setting.default)
        for name, setting in described.items()
        if setting.place != "hidden"
    }


def _prepare() -> None:
    for setting in SETTINGS.values():
        if setting.place != "hidden":
            prepare_setting(setting, session_key(setting.name))


def _show_presets(store: Store) -> None:
    """A button each; the one that the form agrees with is ticked, whoever filled it in.

    Buttons and no choice: a choice has a value, and the browser sends the value of a moment ago along with the next
    click. It would undo the number that was typed just before.
    """
    now = _read_session()
    label = _("Start from")
    st.markdown(f":small[{label}]")
    device = precision.find_device("auto")
    with st.container(horizontal=True, gap="small"):
        for preset in PRESETS:
            config = suit_precision(TrainConfig.from_values(preset.changes), device.arithmetic if device else {})
            st.button(
                _(preset.title),
                key=f"{_PRESET_KEY}:{preset.name}",
                help=_describe_preset(preset, config, store),
                icon=":material/check:" if shown_values(config) == now else None,
                on_click=fill_form,
                args=(config,),
            )


def _describe_preset(preset: Preset, config: TrainConfig, store: Store) -> str:
    """What it is for, on which images, and about how long it takes here."""
    cost = estimate(config, store)
    facts = [_("data set: {name}").format(name=config.dataset)]
    if cost.seconds is not None:
        facts.append(_time(cost.seconds, cost.basis))
    return f"{_(preset.about)}  \n{' · '.join(facts)}"


def _show(setting: Setting) -> None:
    """The widget of a setting, and under a choice those of its options."""
    key = session_key(setting.name)
    device = precision.find_device(st.session_state[session_key("device")])
    offered = {"device": _devices, "precision": lambda: precision.list_precisions(setting, device)}
    choices = offered[setting.name]() if setting.name in offered else None
    problem = _find_problem_of(setting)
    show_setting(setting, key, choices=choices, problem=problem, on_change=_reset_options, args=(setting,))
    if setting.name == "precision" and problem is None:
        precision.show_precision_note(st.session_state[key], device)
    for option in _split_options(setting)[0]:
        show_setting(option, session_key(option.name), problem=_find_problem_of(option))


def _split_options(setting: Setting) -> tuple[list[Setting], list[Setting]]:
    """The options of what is chosen: those under the choice, and those that follow side by side under "Advanced".

    These are the options of a choice that has too many for its column, or that is in sight itself: what launches a run
    should stay on the first screen. The table of layers takes the whole width, see :func:`_show_layers`.
    """
    options = setting.options(st.session_state[session_key(setting.name)])
    found = [option for option in options if not isinstance(option.kind, LayerText)]
    if setting.place == "in sight" or len(found) > _MOST_IN_A_COLUMN:
        return [], found
    return found, []


def _show_options_side_by_side(place: Place) -> None:
    """The options that do not stand under their choice, of all choices that the form has at this place."""
    for setting in SETTINGS.values():
        options = _split_options(setting)[1] if setting.place == place else []
        if options:
            st.markdown(f"**{_(setting.title)}**")
        for start in range(0, len(options), _SIDE_BY_SIDE):
            for column, option in zip(st.columns(_SIDE_BY_SIDE), options[start:], strict=False):
                with column:
                    show_setting(option, session_key(option.name), problem=_find_problem_of(option))


def _reset_options(setting: Setting) -> None:
    """Give the options of what was just chosen their defaults: another choice may have left other values there."""
    for option in setting.options(st.session_state[session_key(setting.name)]):
        if not isinstance(option.kind, LayerText):  # no other model has it, and it is a piece of work
            st.session_state.pop(session_key(option.name), None)


def _show_in_sight() -> None:
    shown = [setting for setting in SETTINGS.values() if setting.place == "in sight"]
    for column, setting in zip(st.columns([5, 3, 2], gap="medium"), shown, strict=True):
        with column:
            _show(setting)
    _show_dataset_note(st.session_state[session_key("dataset")])
    carried = st.session_state.get(_CARRIED_KEY, {})
    if carried.get("init"):
        text = _("Starts from the weights of {init}; a preset starts afresh.").format(init=f"`{carried['init']}`")
        st.caption(text + sentence_gap() + _("On a data set with other classes the last layer begins afresh."))
    _show_layers()


def _show_layers() -> None:
    """The table of layers, where the model is one's own."""
    for option in SETTINGS["model"].options(st.session_state[session_key("model")]):
        if isinstance(option.kind, LayerText):
            builder.show_builder(option, session_key(option.name), st.session_state[session_key("dataset")])


def _show_dataset_note(name: str) -> None:
    spec = names.spec(name)
    if spec is None:
        return
    note = _("Train: {train}. Test: {test}.").format(train=_(spec.train_title), test=_(spec.test_title))
    if not is_available(name):
        size = names.size(spec.download_bytes)
        note += sentence_gap() + _("Not on this machine yet: {size} will be downloaded first.").format(size=size)
    st.caption(note)


def _show_advanced() -> None:
    _show_options_side_by_side("in sight")
    for column, groups in zip(st.columns(3, gap="medium"), _COLUMNS, strict=True):
        with column:
            for setting in SETTINGS.values():
                if setting.place == "advanced" and setting.group in groups:
                    _show(setting)
                    if setting.name == "schedule" and (config := _try_form()) is not None:
                        rates.show_schedule_curve(config)
    rate_test.show_rate_test(_try_form(), session_key("lr"))
    _show_options_side_by_side("advanced")


def _try_form() -> TrainConfig | None:
    """The config as the form stands; None where a value cannot be used, which is said at its field."""
    try:
        return read_form()
    except ConfigError:
        return None


def _devices() -> dict[str, str]:
    """The devices to choose from, with their English titles."""
    answer = machine.probe().answer
    found = list(answer.names) if answer else []
    titles = {"auto": N_("Automatic"), "cpu": N_("CPU")}
    return {name: titles.get(name, name) for name in ["auto", *found, "cpu", st.session_state[session_key("device")]]}


def _show_launch_row(store: Store) -> None:
    problem = launching.take_problem(PLACE)
    config: TrainConfig | None = None
    problems = find_problems()
    if not problems:
        try:
            read = read_form()
            check_origin(store, read)
            config = read
        except ConfigError as error:
            problems = [error]
    if problems:
        problem = "  \n".join(map(names.config_error, problems))
    if problem:
        st.error(problem, icon=":material/error:")
    left, right = st.columns([2, 1], gap="medium", vertical_alignment="center")
    if config is not None:
        cost = estimate(config, store)
        left.markdown(_cost(cost.parameters, cost.seconds, cost.basis))
    left.text_input(
        _("Name of the run"),
        key=_NAME_KEY,
        max_chars=80,
        placeholder=_("a name, if you like"),
        label_visibility="collapsed",
    )
    token = launching.launch_token(PLACE)
    # The token is part of the key and of the call: whatever a double click sends, it names the same launch.
    right.button(
        _("Start training"),
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key=f"launch:{token}",
        on_click=launch,
        args=(read_form, token),
        disabled=config is None,
    )


def _cost(parameters: int, seconds: float | None, basis: str) -> str:
    text = _("**{n}** parameters").format(n=f"{parameters:,}")
    if seconds is None:
        return text
    return f"{text} · {_time(seconds, basis)}"


def _time(seconds: float, basis: str) -> str:
    time = _("about **{time}** here").format(time=names.duration(seconds))
    how = _("as measured on this machine") if basis == "measured" else _("a rough guess until a run was measured")
    return f"{time} :small[:gray[({how})]]"


def launch(config: Callable[[], TrainConfig], token: str) -> None:
    """Launch a run in a callback and show it; what stands in the way is said on the page."""
    run = launching.launch_run(PLACE, token, config, name=(st.session_state.get(_NAME_KEY) or "").strip())
    if run is not None:
        st.session_state.pop(_NAME_KEY, None)  # the next run is another one
        state.put("run", run.id)
