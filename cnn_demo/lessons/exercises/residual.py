"""Questions on residual connections: a gradient, a product, a shape."""

from __future__ import annotations

import random

import torch

from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_gradient(stream), _ask_depth(stream), _ask_shape(stream)


def _ask_gradient(stream: random.Random) -> Question:
    weight, upstream = stream.choice([-0.5, 0.1, 0.2, 0.5]), float(stream.choice([-2, 1, 2, 3]))
    x = torch.tensor(1.0, requires_grad=True)
    (weight * x + x).backward(torch.tensor(upstream))
    assert x.grad is not None
    slope = round(x.grad.item(), 4)
    return Question(
        text=say(
            N_("y = {w} · x + x, and the loss has the slope {g} along y. What is its slope along x?"),
            w=weight,
            g=upstream,
        ),
        kind="number",
        answer=slope,
        tolerance=0.001,
        why=say(
            N_("{g} · ({w} + 1) = {slope}: the 1 comes from the skip connection."), g=upstream, w=weight, slope=slope
        ),
    )


def _ask_depth(stream: random.Random) -> Question:
    depth = stream.choice([3, 4, 5])
    share = torch.tensor(0.1, dtype=torch.float64) ** depth
    return Question(
        text=say(
            N_(
                "{n} layers in a row, each with a slope of 0.1, no skip connections. By what does the "
                "gradient shrink (as a decimal number)?"
            ),
            n=depth,
        ),
        kind="number",
        answer=float(share),
        tolerance=float(share) * 0.01,
        why=say(
            N_("0.1^{n} = {share}; with skip connections it would be 1.1^{n} = {kept}."),
            n=depth,
            share=float(share),
            kept=float(torch.tensor(1.1, dtype=torch.float64) ** depth),
        ),
    )


def _ask_shape(stream: random.Random) -> Question:
    outputs, stride = stream.choice([(64, 1), (128, 1), (64, 2), (128, 2)])
    fits = outputs == 64 and stride == 1
    return Question(
        text=say(
            N_("A block gets 64 channels. Its convolutions give {n} channels with stride {s}. May x simply be added?"),
            n=outputs,
            s=stride,
        ),
        kind="choice",
        answer="yes" if fits else "no",
        options={"yes": say(N_("Yes")), "no": say(N_("No, x needs a 1 × 1 convolution first"))},
        why=say(
            N_(
                "Only equal shapes can be added. ResNet brings x to the new shape by a 1 × 1 convolution of "
                "the same stride."
            )
        ),
    )
