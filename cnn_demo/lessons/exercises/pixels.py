"""Questions on the pixels: one pixel normalized, one taken back, and what the deviation does."""

from __future__ import annotations

import random

import torch

from cnn_demo.datasets.device_dataset import denormalize, normalize
from cnn_demo.datasets.specs import get_spec
from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_

_DATA = ("mnist", "fashion-mnist")


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_normalized(stream), _ask_byte(stream), _ask_unnormalized(stream)


def _ask_normalized(stream: random.Random) -> Question:
    spec, byte = get_spec(stream.choice(_DATA)), stream.randint(0, 255)
    value = float(normalize(torch.tensor([[[byte]]], dtype=torch.uint8), spec))
    return Question(
        text=say(
            N_(
                "{data} has the mean {mean} and the deviation {std}. What becomes of a pixel with the byte "
                "{byte} (two decimals)?"
            ),
            data=say(spec.title),
            mean=spec.mean[0],
            std=spec.std[0],
            byte=byte,
        ),
        kind="number",
        answer=value,
        tolerance=0.006,
        why=say(
            N_("({byte}/255 − {mean}) / {std} = {value}."), byte=byte, mean=spec.mean[0], std=spec.std[0], value=value
        ),
    )


def _ask_byte(stream: random.Random) -> Question:
    spec, byte = get_spec(stream.choice(_DATA)), stream.randint(1, 254)
    value = round(float(normalize(torch.tensor([[[byte]]], dtype=torch.uint8), spec)), 3)
    back = float(denormalize(torch.tensor([[[value]]]), spec)) * 255
    return Question(
        text=say(
            N_("Mean {mean}, deviation {std}. The network got the number {value}. Which byte was it?"),
            mean=spec.mean[0],
            std=spec.std[0],
            value=value,
        ),
        kind="number",
        answer=byte,
        tolerance=0.5,
        why=say(
            N_("({value} · {std} + {mean}) · 255 = {back}, so {byte}."),
            value=value,
            std=spec.std[0],
            mean=spec.mean[0],
            back=back,
            byte=byte,
        ),
    )


def _ask_unnormalized(stream: random.Random) -> Question:
    spec = get_spec(stream.choice(_DATA))
    white, black = (float(normalize(torch.tensor([[[byte]]], dtype=torch.uint8), spec)) for byte in (255, 0))
    asked_white = stream.random() < 0.5
    options = {
        "larger": say(N_("larger than in training")),
        "smaller": say(N_("smaller than in training")),
        "same": say(N_("the same as in training")),
    }
    return Question(
        text=say(
            N_("Normalize is forgotten for {data}, ToTensor is not. The number of a {shade} pixel is then …"),
            data=say(spec.title),
            shade=say(N_("white") if asked_white else N_("black")),
        ),
        kind="choice",
        answer="smaller" if asked_white else "larger",
        options=options,
        why=say(
            N_("White is 1 and not {white}, black is 0 and not {black}: less contrast, and a shifted zero."),
            white=white,
            black=black,
        ),
    )
