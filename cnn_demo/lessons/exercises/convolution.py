"""Questions on one convolution: the size of its output, one value by hand, where a window begins."""

from __future__ import annotations

import random
from typing import Any

import torch

from cnn_demo.lessons import convolution as conv
from cnn_demo.lessons.panels import Grid
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Output size, one value by hand, and where a window begins."""
    return _ask_size(stream), _ask_value(stream), _ask_place(stream)


def _ask_size(stream: random.Random) -> Question:
    size, kernel, stride, padding = (
        stream.choice([16, 28, 32, 64]),
        stream.choice([2, 3, 5, 7]),
        stream.randint(1, 4),
        stream.randint(0, 3),
    )
    outputs, lost = conv.count_outputs(size, kernel, 2 * padding, stride, 1)
    return Question(
        text=say(
            N_(
                "Input {size} × {size}, kernel {kernel} × {kernel}, stride {stride}, padding {padding} on "
                "each side. How high is the output?"
            ),
            size=size,
            kernel=kernel,
            stride=stride,
            padding=padding,
        ),
        kind="number",
        answer=outputs,
        why=say(
            N_("⌊({size} + 2·{padding} − ({kernel} − 1) − 1) / {stride}⌋ + 1 = {outputs}; the division leaves {lost}."),
            size=size,
            padding=padding,
            kernel=kernel,
            stride=stride,
            outputs=outputs,
            lost=lost,
        ),
    )


def _ask_value(stream: random.Random) -> Question:
    patch = torch.tensor([[stream.randint(-2, 3) for _ in range(5)] for _ in range(5)], dtype=torch.float32)
    name = stream.choice(["sobel-x", "sobel-y", "laplacian", "sharpen"])
    row, column = stream.randint(0, 2), stream.randint(0, 2)
    output = conv.cross_correlate(patch, conv.KERNELS[name])
    terms = conv.list_products(patch, conv.KERNELS[name])[row * 3 + column]
    shown = " + ".join(f"{int(term)}" for term in terms if term != 0).replace("+ -", "− ").replace("-", "−") or "0"
    words: dict[str, Any] = {"kernel": say(_KERNEL_ROWS[name]), "row": row, "column": column}
    return Question(
        text=say(
            N_(
                "The kernel is {kernel}. Stride 1, no padding. What is the output at row {row}, column "
                "{column} (counted from 0)?"
            ),
            **words,
        ),
        kind="number",
        answer=int(output[row, column]),
        why=say(
            N_("The window begins at row {row}, column {column}: {sum} = {value}."),
            row=row,
            column=column,
            sum=shown,
            value=int(output[row, column]),
        ),
        grid=Grid(
            name="question",
            title=say(N_("Input, {h} × {w}"), h=5, w=5),
            values=patch.numpy(),
            colors="diverging",
            numbers=True,
            width=200,
        ),
    )


_KERNEL_ROWS = {
    name: "; ".join(" ".join(f"{int(cell)}".replace("-", "−") for cell in row) for row in conv.KERNELS[name])
    for name in ("sobel-x", "sobel-y", "laplacian", "sharpen")
}


def _ask_place(stream: random.Random) -> Question:
    kernel, stride, size = stream.choice([2, 3]), stream.choice([2, 3]), 9
    outputs, _lost = conv.count_outputs(size, kernel, 0, stride, 1)
    row, column = stream.randrange(outputs), stream.randrange(outputs)
    cells = torch.tensor([[float(stream.randint(0, 9)) for _ in range(size)] for _ in range(size)])
    return Question(
        text=say(
            N_(
                "Kernel {kernel} × {kernel}, stride {stride}, no padding. Click the cell of the input where "
                "the window for the output at row {row}, column {column} begins (its upper left corner)."
            ),
            kernel=kernel,
            stride=stride,
            row=row,
            column=column,
        ),
        kind="cell",
        answer=(row * stride, column * stride),
        why=say(N_("It begins at (row · stride, column · stride) = ({y}, {x})."), y=row * stride, x=column * stride),
        grid=Grid(
            name="question",
            title=say(N_("Input, {h} × {w}"), h=size, w=size),
            values=cells.numpy(),
            numbers=False,
            width=200,
        ),
    )
