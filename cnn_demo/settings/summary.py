"""What a summary of a run tells, and in what two runs differ; both follow from the descriptions of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnn_demo.locales import N_
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.description import Choice, Flag, Real, Setting


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that two runs were not told alike.

    Attributes:
        setting: its description.
        first, second: the values; None where the choices of a run have no such option.
    """

    setting: Setting
    first: Any
    second: Any


def list_told(config: TrainConfig) -> list[tuple[Setting, Any]]:
    """The settings that a summary names, with their values: those with a ``brief``, and what is not at its default.

    Secrets and remarks are left out.
    """
    values = config.values()
    shown = [setting for setting in config.described().values() if not setting.secret and setting.group != "remark"]
    return [(s, values[s.name]) for s in shown if s.brief or values[s.name] != s.default]


def list_differences(first: TrainConfig, second: TrainConfig) -> list[Difference]:
    """In what two runs differ, options included; secrets and remarks are left out."""
    described = {**first.described(), **second.described()}
    one, two = first.values(), second.values()
    return [
        Difference(setting, one.get(name), two.get(name))
        for name, setting in described.items()
        if not setting.secret and setting.group != "remark" and one.get(name) != two.get(name)
    ]


def title_of(setting: Setting, value: Any) -> str:
    """A value for people, in English: the title of a choice, a short form of a number."""
    if isinstance(setting.kind, Choice):
        entry = setting.kind.find(value)
        return entry.title if entry else str(value)
    if isinstance(setting.kind, Flag):
        return N_("yes") if value else N_("no")
    return f"{value:g}" if isinstance(setting.kind, Real) else str(value)
