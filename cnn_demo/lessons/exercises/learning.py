"""Questions on learning: a cross-entropy, one step downhill, the gradient of softmax."""

from __future__ import annotations

import random

import torch

from cnn_demo.lessons import learning
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say, write_number
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_loss(stream), _ask_step(stream), _ask_slope(stream)


def _ask_loss(stream: random.Random) -> Question:
    classes = stream.choice([2, 4, 10, 100])
    loss = float(learning.cross_entropy(torch.zeros(classes), 0))
    return Question(
        text=say(
            N_(
                "A network that knows nothing gives all {n} classes the same share. What is its cross-entropy "
                "(natural logarithm, two decimals)?"
            ),
            n=classes,
        ),
        kind="number",
        answer=loss,
        tolerance=0.006,
        why=say(
            N_("−log(1/{n}) = log {n} = {loss}. A loss above that is worse than knowing nothing."), n=classes, loss=loss
        ),
    )


def _ask_step(stream: random.Random) -> Question:
    weight, gradient = stream.randint(-9, 9) / 10, stream.choice([-4, -3, -2, -1, 1, 2, 3, 4]) / 2
    rate = stream.choice([0.1, 0.2, 0.5])
    after = float(torch.tensor(weight, dtype=torch.float64) - rate * gradient)
    return Question(
        text=say(
            N_(
                "A weight is {w}, its gradient {g}, the learning rate {rate}. What is the weight after one step of SGD?"
            ),
            w=weight,
            g=gradient,
            rate=rate,
        ),
        kind="number",
        answer=round(after, 6),
        tolerance=0.0005,
        why=say(N_("{w} − {rate} · ({g}) = {after}: against the slope."), w=weight, g=gradient, rate=rate, after=after),
    )


def _ask_slope(stream: random.Random) -> Question:
    share = stream.randint(1, 9) / 10
    right = stream.random() < 0.5
    slope = share - 1 if right else share
    options = {
        "minus": say(write_number(share - 1)),
        "plus": say(write_number(share)),
        "log": say(write_number(float(-torch.tensor(share).log()))),
    }
    words = N_("the right class") if right else N_("a wrong class")
    return Question(
        text=say(
            N_(
                "Softmax gives {which} the share {p}. What is the slope of the cross-entropy along the logit "
                "of that class?"
            ),
            which=say(words),
            p=share,
        ),
        kind="choice",
        answer="minus" if right else "plus",
        options=options,
        why=say(
            N_(
                "It is p − 1 for the right class and p for every other: here {slope}. What is right already "
                "is not pushed."
            ),
            slope=slope,
        ),
    )
