"""Questions on batch norm: one number by hand, the running mean, and which mode."""

from __future__ import annotations

import random

import torch
from torch.nn import functional as F

from cnn_demo.lessons.questions import Question
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_


def ask_questions(stream: random.Random) -> tuple[Question, Question, Question]:
    """Three questions."""
    return _ask_number(stream), _ask_running(stream), _ask_mode(stream)


def _ask_number(stream: random.Random) -> Question:
    middle, reach = stream.randint(-3, 5), stream.choice([1, 2, 3])
    gamma, beta = stream.choice([0.5, 2.0, 3.0]), float(stream.randint(-2, 2))
    batch = torch.tensor([[float(middle - reach)], [float(middle + reach)]])
    output = float(F.batch_norm(batch, None, None, torch.tensor([gamma]), torch.tensor([beta]), training=True)[1])
    return Question(
        text=say(
            N_(
                "A batch of the two numbers {a} and {b}, γ = {gamma}, β = {beta}, train(). What becomes of "
                "{b} (ε may be left out)?"
            ),
            a=middle - reach,
            b=middle + reach,
            gamma=gamma,
            beta=beta,
        ),
        kind="number",
        answer=round(output, 2),
        tolerance=0.01,
        why=say(
            N_("The mean is {mean}, the deviation {std}, so x̂ = 1 and y = γ + β = {y}."),
            mean=middle,
            std=reach,
            y=round(output, 2),
        ),
    )


def _ask_running(stream: random.Random) -> Question:
    before, mean = float(stream.randint(-2, 4)), float(stream.randint(-5, 9))
    running = torch.tensor([before])
    F.batch_norm(torch.tensor([[mean - 1], [mean + 1]]), running, torch.ones(1), training=True, momentum=0.1)
    after = round(float(running), 4)
    return Question(
        text=say(
            N_(
                "The running mean is {before}, PyTorch's momentum 0.1, and a batch comes with the mean "
                "{mean}. What is the running mean then?"
            ),
            before=before,
            mean=mean,
        ),
        kind="number",
        answer=after,
        tolerance=0.001,
        why=say(
            N_("0.9 · {before} + 0.1 · {mean} = {after}. This momentum weighs the new one, unlike an optimizer's."),
            before=before,
            mean=mean,
            after=after,
        ),
    )


_CASES = (
    (N_("You show the network one image, alone"), "eval"),
    (N_("The same image must get the same answer in any batch"), "eval"),
    (N_("The running statistics must follow new data"), "train"),
    (N_("You measure accuracy on the test images"), "eval"),
)


def _ask_mode(stream: random.Random) -> Question:
    words, answer = stream.choice(_CASES)
    return Question(
        text=say(N_("Which mode does this need? {case}."), case=say(words)),
        kind="choice",
        answer=answer,
        options={"train": say("train()"), "eval": say("eval()")},
        why=say(
            N_("train() uses the batch and updates the running statistics; eval() uses these and changes nothing.")
        ),
    )
