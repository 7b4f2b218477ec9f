"""Questions on cost and on sharing."""

from __future__ import annotations

import random

from cnn_demo.lessons import plain_network as plain
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_linear(stream), _ask_convolution(stream), _ask_growth(stream)


def _ask_linear(stream: random.Random) -> Question:
    side, channels, units = stream.choice([10, 20, 28, 32]), stream.choice([1, 3]), stream.choice([10, 50, 100])
    n = plain.count_linear(side, side, channels, units).parameters
    return Question(
        text=say(
            N_(
                "Images of {side} × {side} with {c} channels, a fully connected layer of {u} units with "
                "biases: how many parameters?"
            ),
            side=side,
            c=channels,
            u=units,
        ),
        kind="number",
        answer=n,
        why=say(N_("{side} · {side} · {c} · {u} + {u} = {n}."), side=side, c=channels, u=units, n=n),
    )


def _ask_convolution(stream: random.Random) -> Question:
    side, kernel, outputs = stream.choice([28, 64, 224, 1000]), stream.choice([3, 5]), stream.choice([8, 16, 32])
    n = plain.count_convolution(side, side, 3, kernel, outputs).parameters
    return Question(
        text=say(
            N_(
                "Color images of {side} × {side}, a convolution with {outputs} kernels of {kernel} × {kernel} "
                "and biases: how many parameters?"
            ),
            side=side,
            outputs=outputs,
            kernel=kernel,
        ),
        kind="number",
        answer=n,
        why=say(
            N_("{kernel} · {kernel} · 3 · {outputs} + {outputs} = {n}; the size of the image does not matter."),
            kernel=kernel,
            outputs=outputs,
            n=n,
        ),
    )


def _ask_growth(stream: random.Random) -> Question:
    times = stream.choice([2, 3, 4])
    what = stream.choice(["linear", "convolution", "adds"])
    words = {
        "linear": N_("the weights of a fully connected layer"),
        "convolution": N_("the weights of a convolution"),
        "adds": N_("the multiply-adds of a convolution"),
    }
    before = plain.count_linear(8, 8, 1, 4), plain.count_convolution(8, 8, 1, 3, 4)
    after = plain.count_linear(8 * times, 8 * times, 1, 4), plain.count_convolution(8 * times, 8 * times, 1, 3, 4)
    factor = {
        "linear": after[0].multiply_adds // before[0].multiply_adds,
        "convolution": 1,
        "adds": after[1].multiply_adds // before[1].multiply_adds,
    }[what]
    return Question(
        text=say(
            N_("Height and width of the image are made {n} times as large. How many times as many are {what} then?"),
            n=times,
            what=say(words[what]),
        ),
        kind="number",
        answer=factor,
        why=say(
            N_("A kernel stays as it is; what is done at every pixel, or has a weight for it, grows with {n} · {n}."),
            n=times,
        ),
    )
