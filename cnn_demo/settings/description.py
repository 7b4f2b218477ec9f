"""What a setting is: one description that yields its check, its widget, its flag, its place in a summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing a run can be told."""

    name: str
    default: Any
