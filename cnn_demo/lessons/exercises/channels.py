"""Questions on channels: parameters, a 1 × 1 convolution by hand, what groups save."""

from __future__ import annotations

import random

import torch
from torch.nn import functional as F

from cnn_demo.lessons import channels
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_parameters(stream), _ask_point(stream), _ask_groups(stream)


def _ask_parameters(stream: random.Random) -> Question:
    inputs, outputs, kernel = stream.choice([1, 3, 16, 32]), stream.choice([8, 16, 32, 64]), stream.choice([1, 3, 5])
    cost = channels.count_cost(inputs, outputs, kernel, 1)
    return Question(
        text=say(
            N_("nn.Conv2d({inputs}, {outputs}, {kernel}): how many parameters, biases included?"),
            inputs=inputs,
            outputs=outputs,
            kernel=kernel,
        ),
        kind="number",
        answer=cost.parameters,
        why=say(
            N_("{kernel} · {kernel} · {inputs} · {outputs} + {outputs} = {n}."),
            kernel=kernel,
            inputs=inputs,
            outputs=outputs,
            n=cost.parameters,
        ),
    )


def _ask_point(stream: random.Random) -> Question:
    pixel = [stream.randint(-3, 4) for _ in range(3)]
    weight = [stream.choice([-2, -1, 1, 2]) for _ in range(3)]
    bias = stream.randint(-2, 2)
    x, w = torch.tensor(pixel).float().view(1, 3, 1, 1), torch.tensor(weight).float().view(1, 3, 1, 1)
    value = int(F.conv2d(x, w, torch.tensor([float(bias)])))
    return Question(
        text=say(
            N_(
                "A pixel has the channels {pixel}. A 1 × 1 convolution has the weights {weight} and the bias "
                "{bias}. What comes out?"
            ),
            pixel=_write(pixel),
            weight=_write(weight),
            bias=bias,
        ),
        kind="number",
        answer=value,
        why=say(N_("A 1 × 1 convolution is a weighted sum of the channels at one place: {value}."), value=value),
    )


def _write(numbers: list[int]) -> str:
    return f"({', '.join(map(str, numbers))})".replace("-", "−")


def _ask_groups(stream: random.Random) -> Question:
    groups = stream.choice([2, 4, 8])
    inputs, outputs = 8 * stream.randint(1, 4), 8 * stream.randint(1, 8)
    cost = channels.count_cost(inputs, outputs, 3, 1, groups)
    weights = cost.parameters - outputs
    return Question(
        text=say(
            N_("{inputs} channels in, {outputs} out, kernel 3 × 3, {groups} groups, no bias: how many weights?"),
            inputs=inputs,
            outputs=outputs,
            groups=groups,
        ),
        kind="number",
        answer=weights,
        why=say(
            N_("Each output channel reads {inputs}/{groups} input channels: 9 · {part} · {outputs} = {n}."),
            inputs=inputs,
            groups=groups,
            part=inputs // groups,
            outputs=outputs,
            n=weights,
        ),
    )
