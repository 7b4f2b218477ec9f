"""What a setting is: one description that yields its check, its widget, its flag, its place in a summary.

A :class:`Setting` belongs to a field of ``TrainConfig``, or to an entry of a registry as one of its options (the
momentum of SGD). Its kind says which values there are.
"""

from __future__ import annotations

import importlib
import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from cnn_demo.locales import N_
from cnn_demo.settings.errors import HIDDEN, ConfigError
from cnn_demo.settings.reference import BadReference, ModelRef
from cnn_demo.settings.registry import Entry, Registry

# Who owns a setting. A remark is for people and no part of the computation.
Group = Literal["data", "model", "optimization", "compute", "remark"]
# Where the form has it: always in sight, under "Advanced", or nowhere.
Place = Literal["in sight", "advanced", "hidden"]


class Kind(ABC):
    """Which values a setting can have."""

    @abstractmethod
    def accepts(self, value: object) -> bool:
        """Whether a value can be used."""

    @abstractmethod
    def expected(self) -> tuple[str, dict[str, Any]]:
        """What can be used, in words: an English message for translation, and what fills it."""

    def parse(self, text: str) -> Any:
        """The value that a text on the command line means.

        Raises:
            ValueError: it means none.
        """
        return text


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number from ``low`` to ``high``; a form counts it up and down by ``step``."""

    low: int
    high: int
    step: int = 1

    def accepts(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def expected(self) -> tuple[str, dict[str, Any]]:
        return N_("a whole number from {low} to {high}"), {"low": self.low, "high": self.high}

    def parse(self, text: str) -> int:
        return int(text)


@dataclass(frozen=True, slots=True)
class Real(Kind):
    """A number from ``low`` to ``high``; with ``open_low`` it must be above ``low``."""

    low: float
    high: float
    open_low: bool = False
    step: float = 0.01
    format: str = "%g"

    def accepts(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return (self.low < value if self.open_low else self.low <= value) and value <= self.high

    def expected(self) -> tuple[str, dict[str, Any]]:
        message = (
            N_("a number above {low} and at most {high}") if self.open_low else N_("a number from {low} to {high}")
        )
        return message, {"low": f"{self.low:g}", "high": f"{self.high:g}"}

    def parse(self, text: str) -> float:
        return float(text)


@dataclass(frozen=True, slots=True)
class Flag(Kind):
    """Yes or no."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)

    def expected(self) -> tuple[str, dict[str, Any]]:
        return N_("true or false"), {}


@cache
def _open_table(table: tuple[tuple[str, str], ...] | str) -> Registry:
    if isinstance(table, str):
        module, _, attribute = table.partition(":")
        found: Registry = getattr(importlib.import_module(module), attribute)
        return found
    made = Registry("choice")
    for name, title in table:
        made.add(name, title, "")
    return made


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One name of a table.

    Attributes:
        table: pairs of name and English title; or, as a dotted path ``"package.module:attribute"``, a registry. It
            is imported at the first look, so a lower room can offer what a higher one holds.
    """

    table: tuple[tuple[str, str], ...] | str

    def entries(self) -> tuple[Entry, ...]:
        """Everything that can be chosen."""
        return tuple(_open_table(self.table))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that can be chosen."""
        return _open_table(self.table).names

    def find(self, name: object) -> Entry | None:
        """The entry of a name, or None."""
        return _open_table(self.table).get(name) if self.accepts(name) else None  # type: ignore[arg-type]

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value in _open_table(self.table)

    def expected(self) -> tuple[str, dict[str, Any]]:
        return N_("one of {choices}"), {"choices": ", ".join(self.names)}


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A text that matches a pattern as a whole.

    Attributes:
        pattern: a regular expression.
        wanted: what the pattern says, in English words (``N_``).
    """

    pattern: str = r"(?s).*"
    wanted: str = N_("a text")

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def expected(self) -> tuple[str, dict[str, Any]]:
        return self.wanted, {}


@dataclass(frozen=True, slots=True)
class FirstWeights(Kind):
    """Nothing, or a reference to a network that training can start from."""

    def accepts(self, value: object) -> bool:
        try:
            return value == "" or (isinstance(value, str) and ModelRef.parse(value).kind in ("shipped", "run"))
        except BadReference:
            return False

    def expected(self) -> tuple[str, dict[str, Any]]:
        return N_("empty, shipped, or a run as RUN, RUN@STEP or RUN@best"), {}


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a run can be told.

    Attributes:
        name: what the config, the command line (with dashes) and the form's address call it.
        default: the value where nothing is said.
        kind: which values there are.
        title: the name for people, in English.
        help: one or two sentences for people, in English: the form's tooltip and the flag's help.
        group: who owns it.
        place: where the form has it.
        brief: how a summary of a run says it, such as ``"batch {value}"``, whatever the value; ``{title}`` is the
            title of a choice. Where it is empty, a summary names the setting only where it is not at its default.
        metavar: what stands for the value in the help of the command line.
        secret: its value is a key: no summary, comparison, error or output ever shows it.
    """

    name: str
    default: Any
    kind: Kind
    title: str
    help: str = ""
    group: Group = "optimization"
    place: Place = "advanced"
    brief: str = ""
    metavar: str = ""
    secret: bool = False

    def check(self, value: object) -> None:
        """Refuse a value that cannot be used.

        Raises:
            ConfigError: it names the setting, the value and what would be accepted.
        """
        if not self.kind.accepts(value):
            message, values = self.kind.expected()
            raise ConfigError(self.name, HIDDEN if self.secret else value, message, **values)

    def parse(self, text: str) -> Any:
        """The value that a text means, checked.

        Raises:
            ConfigError: the text means no value, or one that cannot be used.
        """
        try:
            value = self.kind.parse(text)
        except ValueError:
            value = text
        self.check(value)
        return value

    def options(self, value: object) -> tuple[Setting, ...]:
        """The settings that come with this choice; none where it is no choice from a registry."""
        entry = self.kind.find(value) if isinstance(self.kind, Choice) else None
        return entry.options if entry else ()
