"""Reading the configs of stored runs, by whatever version they were made: an old or foreign run breaks no page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnn_demo.settings.config import FIELDS, TrainConfig, migrate
from cnn_demo.settings.errors import ConfigError


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """A config as far as this version understands it.

    Attributes:
        config: what could be read; the rest is at its default.
        unknown: settings that this version does not know and values that it cannot use, by name.
        problem: what could not be read, in English; empty where all was understood.
    """

    config: TrainConfig
    unknown: dict[str, Any]
    problem: str = ""


def load_stored_config(data: object) -> StoredConfig:
    """Read a config that some version has stored; never raises.

    Args:
        data: what :meth:`TrainConfig.to_dict` gave, or its JSON.
    """
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError as error:
            return StoredConfig(TrainConfig(), {}, f"the settings cannot be read: {error}")
    if not isinstance(data, Mapping):
        return StoredConfig(TrainConfig(), {}, f"the settings cannot be read: {type(data).__name__} is no table")
    plain = migrate(data)
    unknown = {str(name): plain.pop(name) for name in list(plain) if name not in FIELDS}
    problems = [f"unknown setting {name}" for name in unknown]
    if isinstance(plain.get("options"), Mapping):
        plain["options"] = dict(plain["options"])
    while isinstance(config := _build(plain), ConfigError):
        problems.append(str(config))
        holder = plain if config.field in plain else plain["options"]
        unknown[config.field] = holder.pop(config.field)
    return StoredConfig(config, unknown, "; ".join(problems))


def _build(plain: dict[str, Any]) -> TrainConfig | ConfigError:
    try:
        return TrainConfig(**plain)
    except ConfigError as error:
        return error
