"""Questions on activations: a value, a product of slopes, which weights fit."""

from __future__ import annotations

import random

import torch

from cnn_demo.lessons import activations
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say, write_number
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_value(stream), _ask_product(stream), _ask_deviation(stream)


def _ask_value(stream: random.Random) -> Question:
    name = stream.choice(["relu", "leaky-relu"])
    x = stream.choice([-8.0, -5.0, -3.0, -2.0, 1.5, 4.0])
    value = float(activations.ACTIVATIONS[name](torch.tensor(x)))
    slope = float(activations.find_slope(activations.ACTIVATIONS[name], torch.tensor([x])))
    words = {"relu": "ReLU", "leaky-relu": "LeakyReLU (0.01)"}
    return Question(
        text=say(N_("What does {name} make of {x}?"), name=words[name], x=x),
        kind="number",
        answer=value,
        tolerance=0.0005,
        why=say(N_("f({x}) = {value}; the slope there is {slope}."), x=x, value=value, slope=slope),
    )


def _ask_product(stream: random.Random) -> Question:
    layers = stream.randint(2, 5)
    peak = float(activations.find_slope(torch.sigmoid, torch.zeros(1)))
    share = peak**layers
    return Question(
        text=say(
            N_(
                "The sigmoid's slope is at most {peak}. By what factor at most do {n} sigmoids in a row "
                "multiply a gradient (all weights 1)? Give a number or a fraction."
            ),
            peak=peak,
            n=layers,
        ),
        kind="number",
        answer=share,
        tolerance=share * 0.02,
        why=say(N_("(1/4)^{n} = {share}."), n=layers, share=share),
    )


def _ask_deviation(stream: random.Random) -> Question:
    width = stream.choice([50, 128, 200, 512])
    he = activations.find_deviation("he", width)
    return Question(
        text=say(
            N_(
                "A layer with {n} inputs and ReLU: which standard deviation of the weights keeps the size of "
                "the signal?"
            ),
            n=width,
        ),
        kind="choice",
        answer="he",
        options={
            "tenth": say(write_number(he / 10)),
            "he": say(write_number(he)),
            "one": say(write_number(1.0)),
        },
        why=say(N_("√(2 / {n}) = {he}: each output adds {n} products, and ReLU keeps half of them."), n=width, he=he),
    )
