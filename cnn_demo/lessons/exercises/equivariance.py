"""Questions on equivariance: where a maximum goes, which shifts survive a stride, what padding does."""

from __future__ import annotations

import random

import torch

from cnn_demo.lessons import convolution as conv
from cnn_demo.lessons import equivariance as equi
from cnn_demo.lessons.panels import Grid
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_cell(stream), _ask_step(stream), _ask_operation(stream)


def _ask_cell(stream: random.Random) -> Question:
    size = 9
    row, column = stream.randint(2, 6), stream.randint(2, 6)
    down, right = stream.choice([-2, -1, 1, 2]), stream.choice([-2, -1, 1, 2])
    image = torch.zeros(size, size)
    image[row, column] = 1
    found = equi.filter_image(image, conv.KERNELS["blur"])
    center = (row + down, column + right)
    return Question(
        text=say(
            N_(
                "This is the map of a convolution of stride 1. The image is moved {down} cells down and "
                "{right} to the right (negative: the other way). Click the cell where the center of the "
                "bright square will be."
            ),
            down=down,
            right=right,
        ),
        kind="cell",
        answer=center,
        why=say(
            N_("The map moves exactly as the image does: from ({row}, {column}) to ({y}, {x})."),
            row=row,
            column=column,
            y=center[0],
            x=center[1],
        ),
        grid=Grid(
            name="question",
            title=say(N_("Map, {h} × {w}"), h=size, w=size),
            values=found.numpy(),
            limits=(0, 1 / 9),
            width=216,
        ),
    )


def _ask_step(stream: random.Random) -> Question:
    first, second = stream.choice([1, 2]), stream.choice([2, 4])
    step = first * second
    return Question(
        text=say(
            N_(
                "A convolution of stride {a}, then a pooling of stride {b}. By how many pixels at least must "
                "the image move so that the map moves by whole cells and stays otherwise the same?"
            ),
            a=first,
            b=second,
        ),
        kind="number",
        answer=step,
        why=say(N_("Strides multiply: {a} · {b} = {n} pixels are one cell of the map."), a=first, b=second, n=step),
    )


_OPERATIONS = {
    "conv": (N_("a convolution of stride 1, away from the border"), "yes"),
    "relu": (N_("a ReLU"), "yes"),
    "pool": (N_("a max pooling of stride 2"), "no"),
    "flatten": (N_("a linear layer on all pixels"), "no"),
    "turn": (N_("a convolution with any kernel, when the image is turned instead of moved"), "no"),
    "batch-norm": (N_("a batch norm in eval()"), "yes"),
}


def _ask_operation(stream: random.Random) -> Question:
    words, answer = _OPERATIONS[stream.choice(list(_OPERATIONS))]
    return Question(
        text=say(N_("Is this equivariant to every shift by whole pixels: {what}?"), what=say(words)),
        kind="choice",
        answer=answer,
        options={"yes": say(N_("Yes")), "no": say(N_("No"))},
        why=say(
            N_(
                "What treats every place alike, and leaves none out, is equivariant; what has weights for "
                "places, or skips places, is not."
            )
        ),
    )
