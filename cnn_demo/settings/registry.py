"""One table per kind of thing: optimizers, schedules, augmentations, objectives, models.

An entry names its builder by a dotted path, so that a table can be read (by a form, the command line, a test) without
importing PyTorch; the code behind an entry is imported when it is first built.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_demo.settings.description import Setting


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice of a registry.

    Attributes:
        name: what the config, the address and the command line say.
        title: the name for people, in English (translated by the pages).
        target: the builder: ``"package.module:attribute"``, or the callable itself.
        help: one sentence for people, in English.
        options: settings that only this choice has, such as the momentum of SGD.
        facts: more that the kind of registry needs, by name (a model's objective). ``check`` names a function that
            refuses a ``TrainConfig`` in which this choice cannot work, ``figures`` one that tells a model's parameters
            and multiply-adds for any options.
    """

    name: str
    title: str
    target: str | Callable[..., Any]
    help: str = ""
    options: tuple[Setting, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def option_values(self, config: Any) -> dict[str, Any]:
        """The values that a ``TrainConfig`` has for the options of this entry, by name."""
        return {option.name: config.option(option.name) for option in self.options}

    def load(self) -> Callable[..., Any]:
        """The builder itself; imports what is behind a dotted path."""
        return self.target if callable(self.target) else _load_function(self.target)

    def load_fact(self, name: str) -> Callable[..., Any] | None:
        """The function that a fact names by its dotted path, or None where this entry has no such fact."""
        path = self.facts.get(name)
        return _load_function(path) if path else None


def _load_function(path: str) -> Callable[..., Any]:
    module, _, attribute = path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


class UnknownName(KeyError):
    """No entry has this name.

    Attributes:
        kind: which registry was asked.
        name: the name that was given.
        known: the names there are.
    """

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.kind, self.name, self.known = kind, name, known

    def __str__(self) -> str:
        return f"no {self.kind} named {self.name!r}; there are: {', '.join(self.known)}"


class Registry:
    """An ordered table of :class:`Entry`.

    Args:
        kind: what its entries are, in the singular, for error messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(
        self,
        name: str,
        title: str,
        target: str | Callable[..., Any],
        *,
        help: str = "",
        options: tuple[Setting, ...] = (),
        **facts: Any,
    ) -> Entry:
        """Add an entry; see :class:`Entry` for the arguments.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = Entry(name, title, target, help, options, facts)
        return self._entries[name]

    def remove(self, name: str) -> None:
        """Take an entry out again (tests and notebooks)."""
        del self._entries[name]

    def get(self, name: str) -> Entry:
        """The entry of a name.

        Raises:
            UnknownName: there is none; the message lists the names there are.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self.names) from None

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of registration."""
        return tuple(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))
