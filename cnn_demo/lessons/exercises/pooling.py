"""Questions on pooling: one output, the cell that gets the gradient, the size."""

from __future__ import annotations

import random

import torch

from cnn_demo.lessons import pooling
from cnn_demo.lessons.panels import Grid
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_value(stream), _ask_winner(stream), _ask_size(stream)


def _draw_numbers(numbers: torch.Tensor) -> Grid:
    side = len(numbers)
    return Grid(
        name="question",
        title=say(N_("Input, {h} × {w}"), h=side, w=side),
        values=numbers.numpy(),
        numbers=True,
        width=230,
    )


def _ask_value(stream: random.Random) -> Question:
    numbers = torch.tensor([[float(stream.randint(0, 9)) for _ in range(4)] for _ in range(4)])
    row, column = stream.randint(0, 1), stream.randint(0, 1)
    value = float(pooling.pool(numbers, "mean", 2, 2)[row, column])
    return Question(
        text=say(
            N_("Average pooling, 2 × 2, stride 2. What is the output at row {row}, column {column} (counted from 0)?"),
            row=row,
            column=column,
        ),
        kind="number",
        answer=value,
        tolerance=0.001,
        why=say(N_("The mean of the four numbers of that window: {value}."), value=value),
        grid=_draw_numbers(numbers),
    )


def _ask_winner(stream: random.Random) -> Question:
    numbers = torch.tensor(stream.sample(range(10, 46), 36)).float().view(6, 6)  # no two are equal
    row, column = stream.randint(0, 1), stream.randint(0, 1)
    window = torch.zeros(6, 6)
    window[3 * row : 3 * row + 3, 3 * column : 3 * column + 3] = pooling.route_gradient(numbers, "max", 3, 3)[
        3 * row : 3 * row + 3, 3 * column : 3 * column + 3
    ]
    place = divmod(int(window.argmax()), 6)
    return Question(
        text=say(
            N_(
                "Max pooling, 3 × 3, stride 3. Click the cell that gets the gradient of the output at row "
                "{row}, column {column}."
            ),
            row=row,
            column=column,
        ),
        kind="cell",
        answer=place,
        why=say(
            N_("The largest of the window, {value}, at ({y}, {x})."), value=int(numbers[place]), y=place[0], x=place[1]
        ),
        grid=_draw_numbers(numbers),
    )


def _ask_size(stream: random.Random) -> Question:
    side, size, stride = stream.randint(10, 33), stream.randint(2, 3), stream.randint(1, 3)
    outputs = pooling.pool(torch.zeros(side, side), "max", size, stride).shape[0]
    return Question(
        text=say(
            N_(
                "A map of {side} × {side} is pooled with windows of {size} × {size} and stride {stride}. How "
                "many numbers are left?"
            ),
            side=side,
            size=size,
            stride=stride,
        ),
        kind="number",
        answer=outputs**2,
        why=say(
            N_("⌊({side} − {size}) / {stride}⌋ + 1 = {n} on each side, {n} · {n} = {all}."),
            side=side,
            size=size,
            stride=stride,
            n=outputs,
            all=outputs**2,
        ),
    )
