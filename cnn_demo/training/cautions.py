"""What a change to the training images can spoil, told from the settings alone. Imports no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.locales import N_
from cnn_demo.settings.config import TrainConfig

# Turned by more than this either way, what one class becomes is also what another becomes.
_TURNED = 90
_CHARACTERS = ("kmnist",)  # signs whose direction says which they are, besides the digits


@dataclass(frozen=True, slots=True)
class Caution:
    """A word of warning: an English message for translation, and what fills it."""

    message: str
    values: dict[str, Any] = field(default_factory=dict)


def find_cautions(config: TrainConfig, spec: DatasetSpec) -> list[Caution]:
    """Where the augmentation of a run turns one class into another, or takes the picture away.

    Args:
        config: the run.
        spec: its data set.
    """
    strengths = {"rotation": 0.0, "flip": 0.0, "translation": 0.0, "erasing": 0.0, **config.options}
    if config.augment != "random":
        return []
    found: list[Caution] = []
    if strengths["rotation"] > _TURNED:
        degrees = {"degrees": f"{strengths['rotation']:g}"}
        if spec.digits:
            found.append(Caution(N_("Turned by up to {degrees}°, a 6 becomes a 9; its target stays 6."), degrees))
        elif spec.name in _CHARACTERS:
            found.append(Caution(N_("Turned by up to {degrees}°, one character can become another."), degrees))
    if strengths["flip"]:
        if spec.digits:
            found.append(Caution(N_("A mirrored 2 looks like a 5, and a mirrored 4 like no digit; the targets stay.")))
        elif spec.name in _CHARACTERS:
            found.append(Caution(N_("A mirrored character is another one or none; the targets stay.")))
    if strengths["translation"] > spec.size / 2:
        pixels = {"pixels": f"{strengths['translation']:g}", "size": spec.size}
        found.append(Caution(N_("Shifted by up to {pixels} pixels of {size}, some pictures leave the frame."), pixels))
    if strengths["erasing"] > 0.5:
        part = {"part": f"{strengths['erasing']:.0%}"}
        found.append(Caution(N_("A rectangle of up to {part} of the picture can cover all that matters."), part))
    return found
