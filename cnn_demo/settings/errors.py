"""The error of a setting: a message that can be translated, and the values that fill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HIDDEN = "…"  # stands in an error for a value that nobody may see


class ConfigError(ValueError):
    """A setting that cannot be used.

    ``str()`` gives the English sentence. A page translates ``message`` and fills it with ``values``.

    Attributes:
        field: the name of the setting, as in ``TrainConfig``.
        value: the value that was given.
        message: what would have been accepted, in English, marked with ``N_`` where it is written; ``{name}`` stands
            for one of ``values``. It continues the words "must be".
        values: what fills the message.
    """

    def __init__(self, field: str, value: object, message: str, **values: Any) -> None:
        super().__init__(field, value, message)
        self.field, self.value, self.message, self.values = field, value, message, values

    @property
    def expected(self) -> str:
        """The filled message, in English."""
        return fill(self.message, self.values)

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data, so that a page can say later what went wrong; :meth:`from_dict` reads it."""
        values = {name: str(value) for name, value in self.values.items()}
        return {"field": self.field, "value": str(self.value), "message": self.message, "values": values}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConfigError | None:
        """The error of :meth:`to_dict`; None where the data has no message, as that of older versions."""
        if not isinstance(data.get("values"), dict) or "message" not in data:
            return None
        return cls(str(data.get("field")), data.get("value"), str(data["message"]), **data["values"])

    def __str__(self) -> str:
        return f"{self.field} = {self.value!r}: must be {self.expected}"


def fill(message: str, values: dict[str, Any]) -> str:
    """Put the values into a message. One without values is taken as it is, also where it holds braces."""
    return message.format(**values) if values else message
