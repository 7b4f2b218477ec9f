"""The settings as flags of a command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from cnn_demo.settings.config import TrainConfig, list_every_setting
from cnn_demo.settings.description import Choice, Flag, Setting
from cnn_demo.settings.errors import ConfigError
from cnn_demo.settings.presets import PRESETS


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--preset`` and a flag for each setting and each option of whatever can be chosen.

    A flag that is not given leaves no attribute in the namespace, so that a preset can fill it.
    """
    parser.add_argument(
        "--preset",
        choices=[preset.name for preset in PRESETS],
        help="start from these settings; flags that are given change them",
    )
    group = parser.add_argument_group("settings")
    for setting, owners in list_every_setting():
        add_flag(group, setting, owners)


def read_flags(args: argparse.Namespace) -> TrainConfig:
    """The config that a command line means.

    Raises:
        ConfigError: flags that do not fit together, or an option of something that was not chosen.
    """
    given = {setting.name for setting, _owners in list_every_setting()} & vars(args).keys()
    changes = next((preset.changes for preset in PRESETS if preset.name == args.preset), {})
    return TrainConfig.from_values({**changes, **{name: getattr(args, name) for name in given}})


def write_flags(config: TrainConfig) -> list[str]:
    """The command line that means a config: the flags of what is not at its default; secrets and remarks are left out.

    The opposite of :func:`read_flags`.
    """
    values, flags = config.values(), []
    for name, setting in config.described().items():
        if values[name] == setting.default or setting.secret or setting.group == "remark":
            continue
        flag = name.replace("_", "-")
        if isinstance(setting.kind, Flag):
            flags.append(f"--{flag}" if values[name] else f"--no-{flag}")
        else:
            flags.append(f"--{flag}={values[name]}")
    return flags


def add_flag(group: Any, setting: Setting, owners: Mapping[str, Any]) -> None:
    """Add the flag of one setting; where it is not given, the namespace has no attribute for it.

    Args:
        group: a parser or a group of one.
        setting: what the flag says.
        owners: the default for each choice that has this option, by name; empty for a setting of its own.
    """
    help_text = setting.help
    if isinstance(setting.kind, Choice):
        help_text += " One of: " + ", ".join(setting.kind.names) + "."
    if owners:
        defaults = [
            f"{default} for {', '.join(name for name in owners if owners[name] == default)}"
            for default in dict.fromkeys(owners.values())
        ]
        help_text += f" (default: {'; '.join(defaults)})"
    elif setting.default != "":
        help_text += f" (default: {setting.default})"
    more: dict[str, Any] = {"type": _typed(setting), "metavar": setting.metavar or _metavar(setting)}
    if isinstance(setting.kind, Flag):
        more = {"action": argparse.BooleanOptionalAction}
    flag = "--" + setting.name.replace("_", "-")
    group.add_argument(
        flag, dest=setting.name, default=argparse.SUPPRESS, help=help_text.strip().replace("%", "%%"), **more
    )


def _metavar(setting: Setting) -> str:
    return "NAME" if isinstance(setting.kind, Choice) else "TEXT" if isinstance(setting.default, str) else "N"


def _typed(setting: Setting) -> Any:
    def parse(text: str) -> Any:
        try:
            return setting.parse(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(f"{error.value!r} must be {error.expected}") from error

    return parse
