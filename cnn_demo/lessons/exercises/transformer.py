"""Questions on tokens: how many, a weight by hand, a receptive field."""

from __future__ import annotations

import random

import torch

from cnn_demo.lessons import transformer
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_tokens(stream), _ask_weight(stream), _ask_field(stream)


def _ask_tokens(stream: random.Random) -> Question:
    patch, across = stream.choice([4, 7, 8, 14, 16]), stream.randint(2, 14)
    side = patch * across
    count = len(transformer.embed_by_convolution(torch.zeros(side, side), *transformer.draw_embedding(patch, 2)))
    return Question(
        text=say(
            N_(
                "An image of {side} × {side} is cut into patches of {p} × {p}. How many tokens are that, the "
                "class token included?"
            ),
            side=side,
            p=patch,
        ),
        kind="number",
        answer=count + 1,
        why=say(N_("({side} / {p})² = {n}, and one class token."), side=side, p=patch, n=count),
    )


def _ask_weight(stream: random.Random) -> Question:
    first, second = stream.randint(0, 3), stream.randint(0, 3)
    q = torch.tensor([[1.0]])
    k = torch.tensor([[float(first)], [float(second)]])
    share = float(transformer.attend(q, k, torch.eye(2))[0][0, 0])
    return Question(
        text=say(
            N_(
                "Two tokens. The products of the query with their keys, already divided by √d, are {a} and "
                "{b}. Which weight does the first get (two decimals)?"
            ),
            a=first,
            b=second,
        ),
        kind="number",
        answer=share,
        tolerance=0.006,
        why=say(N_("e^{a} / (e^{a} + e^{b}) = {share}."), a=first, b=second, share=share),
    )


def _ask_field(stream: random.Random) -> Question:
    layers, kernel = stream.randint(2, 6), stream.choice([3, 5])
    across = int(transformer.find_seen(41, layers, kernel).sum(1).max())
    return Question(
        text=say(
            N_("{n} convolutions of {k} × {k} in a row, stride 1. How many pixels across does a unit see?"),
            n=layers,
            k=kernel,
        ),
        kind="number",
        answer=across,
        why=say(N_("1 + {n} · ({k} − 1) = {across}."), n=layers, k=kernel, across=across),
    )
