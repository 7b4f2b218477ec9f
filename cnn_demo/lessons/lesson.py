"""What a lesson is: an experiment with one idea, one formula, things to move, a guess, a surprise, and questions."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.lessons.controls import AnyControl, Values
from cnn_demo.lessons.panels import Panel, Scene
from cnn_demo.lessons.questions import Question

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The visitor's own image and network, which run through all lessons.

    Attributes:
        image: ``(C, H, W)`` uint8, C is 1 or 3.
        network: loaded, never changed; its data set has the mean and the deviation.
        unit: the unit that was pinned on Feature maps, (layer, channel, row, column); None for none.
    """

    image: Tensor
    network: LoadedModel
    unit: tuple[str, int, int, int] | None = None

    @property
    def gray(self) -> Tensor:
        """The image as one channel, ``(H, W)`` float32 in [0, 1]; the mean of a color image's channels."""
        return self.image.float().div(255).mean(0)  # (C, H, W) -> (H, W)

    @property
    def side(self) -> int:
        """Rows of the image, which are also its columns."""
        return int(self.image.shape[1])

    @property
    def batch(self) -> Tensor:
        """The network's input, normalized: ``(1, C, H, W)`` float32."""
        return self.network.normalize(self.image.numpy())

    def normalize_gray(self, pixels: Tensor) -> Tensor:
        """Pixels ``(H, W)`` in [0, 1] to the numbers that the network's first channel would read: ``(H, W)``."""
        return normalize(pixels.expand(self.network.spec.channels, *pixels.shape), self.network.spec)[0]

    @torch.no_grad()
    def logits(self) -> Tensor:
        """What the network answers: ``(classes,)``."""
        return self.network.model(self.batch)[0]


def read_painting(text: str) -> Tensor:
    """The picture of a :class:`~cnn_demo.lessons.controls.Painting`: ``(side, side)`` float32 in [0, 1]."""
    side = math.isqrt(len(text))
    return torch.tensor([int(digit, 16) / 15 for digit in text]).view(side, side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What is asked before the answer shows.

    Attributes:
        text: the question, English, ``N_``.
        options: the answers to choose from, English, by name.
        answer: the name of the right one: fixed, or read from the scene; "" where this scene has nothing to guess.
        surprise: what is said afterwards, English, ``N_``; may name facts of the scene in braces.
    """

    text: str
    options: Mapping[str, str]
    answer: str | Callable[[Scene], str]
    surprise: str

    def find_answer(self, scene: Scene) -> str:
        """The right option for this scene."""
        return self.answer if isinstance(self.answer, str) else self.answer(scene)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Something that trains for a few seconds while one looks.

    Attributes:
        button: its words, English, ``N_``.
        seconds: when it ends at the latest.
        run: yields the panels as they are so far, at least once a second; closing the generator stops it.
        controls: the names of the controls that it depends on.
        needs_subject: whether the visitor's image or network changes what comes out.
    """

    button: str
    seconds: float
    run: Callable[[Subject, Values], Iterator[Sequence[Sequence[Panel]]]]
    controls: tuple[str, ...] = ()
    needs_subject: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A way to the page of the app where the idea is at work; ``params`` go into the address beside the network."""

    page: str
    label: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One lesson.

    Attributes:
        name: as in the table of contents.
        idea: at most three short sentences, English, ``N_``; with guess and surprise at most 120 words.
        formula: LaTeX, with symbols.
        controls: what one can move.
        show: the scene at these values; a pure function, at most 100 ms on two cores.
        guess: asked before ``reveal`` shows.
        code: the functions whose source is shown: the lines that computed the scene.
        ask: three questions from random numbers.
        at_work: where the idea is used in the app.
        live: a training to watch; None for none.
        source: the paper or book that the lesson follows; "" for none.
    """

    name: str
    idea: str
    formula: str
    controls: Sequence[AnyControl]
    show: Callable[[Subject, Values], Scene]
    guess: Guess
    code: Sequence[Callable[..., Any]]
    ask: Callable[[random.Random], tuple[Question, Question, Question]]
    at_work: Sequence[AtWork] = ()
    live: Live | None = None
    source: str = ""
