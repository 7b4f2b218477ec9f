"""The table of contents: what can be shown of the lessons before torch is there."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnn_demo.locales import N_

if TYPE_CHECKING:
    from cnn_demo.lessons.lesson import Lesson


@dataclass(frozen=True, slots=True)
class Chapter:
    """A lesson in the table of contents.

    Attributes:
        name: in the address; the module in ``experiments`` has it with underscores.
        title: in English, for ``_()``.
        lead: what one does in it, one sentence, for ``_()``.
    """

    name: str
    title: str
    lead: str


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(
        "plain-network",
        N_("Why not a plain network?"),
        N_("Count what a layer costs that connects everything, and find out what it does not know."),
    ),
    Chapter(
        "convolution",
        N_("One convolution"),
        N_("Slide a small window over your digit and watch each product join the sum."),
    ),
    Chapter(
        "channels",
        N_("Many channels"),
        N_("Take a convolution apart by its input channels, and see what groups and 1 × 1 kernels save."),
    ),
    Chapter(
        "pixels",
        N_("The pixels first"),
        N_("See what ToTensor and Normalize do to the numbers, and what happens when one forgets them."),
    ),
    Chapter(
        "equivariance",
        N_("Equivariance"),
        N_("Move the image, or move the map: when is it the same?"),
    ),
    Chapter(
        "pooling",
        N_("Pooling"),
        N_("Keep the largest number or the mean of a window, and see who learns from it."),
    ),
    Chapter(
        "activations",
        N_("Activations"),
        N_("Follow a gradient through twenty layers, and see it vanish, explode or live."),
    ),
    Chapter(
        "batch-norm",
        N_("Batch norm"),
        N_("Shift and scale a batch, switch the mode, and train where nothing else trains."),
    ),
    Chapter(
        "residual",
        N_("Residual connections"),
        N_("Add what came in to what goes out, and see how deep a network may be."),
    ),
    Chapter(
        "learning",
        N_("Learning"),
        N_("Follow one number forward, its slope back, and one step of the optimizer."),
    ),
    Chapter(
        "transformer",
        N_("From CNN to transformer"),
        N_("Cut the image into patches, let them look at each other, and compare images with sentences."),
    ),
)


def find_chapter(name: str) -> Chapter | None:
    """The chapter of that name; None where there is none."""
    return next((chapter for chapter in CHAPTERS if chapter.name == name), None)


def load_lesson(name: str) -> Lesson:
    """The lesson itself; imports torch.

    Raises:
        KeyError: there is no chapter of that name.
    """
    if find_chapter(name) is None:
        raise KeyError(name)
    module = importlib.import_module(f"cnn_demo.lessons.experiments.{name.replace('-', '_')}")
    found: Lesson = module.LESSON
    return found
