"""Lesson: batch norm in its two modes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from cnn_demo.lessons import batch_norm as norm
from cnn_demo.lessons.controls import Choice, Slider, Values
from cnn_demo.lessons.exercises.batch_norm import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Live, Subject
from cnn_demo.lessons.panels import Curves, Line, Panel, Role, Scene, Table, Text
from cnn_demo.lessons.short_training import DATA, count_right, create_seeded, load_digits, train_steps
from cnn_demo.lessons.words import Words, say, write_tex
from cnn_demo.locales import N_

_BATCHES = 60  # behind the running statistics
_LISTED = 3  # numbers of the batch in the table
_STEPS = 150

CONTROLS = (
    Choice(name="mode", label=N_("Mode"), options={"train": "train()", "eval": "eval()"}, default="train"),
    Slider(name="shift", label=N_("Shift the batch by"), low=-5.0, high=5.0, step=0.5, default=2.0),
    Slider(name="scale", label=N_("Scale the batch by"), low=0.1, high=5.0, step=0.1, default=2.0),
    Slider(name="size", label=N_("Numbers in the batch"), low=1, high=64, default=16),
    Slider(name="gamma", label=N_("γ, learnt scale"), low=-2.0, high=2.0, step=0.1, default=1.0),
    Slider(name="beta", label=N_("β, learnt shift"), low=-3.0, high=3.0, step=0.1, default=0.0),
    Slider(name="rate", label=N_("Learning rate of the training below"), low=0.1, high=2.0, step=0.1, default=0.8),
)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    size, shift, scale = values["size"], values["shift"], values["scale"]
    x = norm.draw_batch(size, shift, scale)
    means, variances = norm.follow_running(_BATCHES, max(size, 2), 0.0, 1.0)
    training = values["mode"] == "train"
    if training and size == 1:
        words = say(
            N_(
                "A batch of one has the variance 0: every number becomes β. PyTorch refuses: “Expected more "
                "than 1 value per channel when training”. In eval() it works."
            )
        )
        return Scene(rows=[[Text(name="none", lines=[words])]], facts={"answer": ""})
    if training:
        mean, variance, normalized, output = norm.normalize_batch(x, values["gamma"], values["beta"])
    else:
        mean, variance = means[-1], variances[-1]
        normalized = norm.normalize_running(x, mean, variance, 1.0, 0.0)
        output = norm.normalize_running(x, mean, variance, values["gamma"], values["beta"])
    rows: list[list[Panel]] = [
        [_draw_batch(x, normalized, output), _draw_running(means, variances)],
        [_tabulate(x, normalized, output, mean, variance, training)],
    ]
    numbers = (
        rf"\hat x_1 = \frac{{{write_tex(float(x[0]))} - ({write_tex(float(mean))})}}"
        rf"{{\sqrt{{{write_tex(float(variance))} + 10^{{-5}}}}}} = {write_tex(float(normalized[0]))}"
    )
    reveal, same = _compare_doubled(x, values, training, mean, variance)
    return Scene(rows=rows, numbers=numbers, reveal=reveal, facts={"answer": "same" if same else "changes"})


def _draw_batch(x: Tensor, normalized: Tensor, output: Tensor) -> Curves:
    places = torch.arange(1, len(x) + 1).numpy()
    kinds: tuple[tuple[Words, Tensor, Role], ...] = (
        (say(N_("x, as it comes in")), x, "faint"),
        (say("x̂"), normalized, "second"),
        (say(N_("y, as it goes out")), output, "first"),
    )
    return Curves(
        name="batch",
        title=say(N_("The batch, one channel")),
        lines=[Line(label=words, x=places, y=y.numpy(), role=role, dots=True) for words, y, role in kinds],
        xlabel=say(N_("Number in the batch")),
    )


def _draw_running(means: Tensor, variances: Tensor) -> Curves:
    places = torch.arange(len(means)).numpy()
    return Curves(
        name="running",
        title=say(N_("Running statistics over {n} batches without shift and scale"), n=len(means) - 1),
        lines=[
            Line(label=say(N_("running mean")), x=places, y=means.numpy()),
            Line(label=say(N_("running variance")), x=places, y=variances.numpy(), role="second"),
        ],
        xlabel=say(N_("Batches seen in train()")),
    )


def _tabulate(x: Tensor, normalized: Tensor, output: Tensor, mean: Tensor, variance: Tensor, training: bool) -> Table:
    rows: list[list[Words | float | int]] = [
        [i + 1, float(x[i]), float(normalized[i]), float(output[i])] for i in range(min(_LISTED, len(x)))
    ]
    words = (
        N_("Mean {mean} and variance {variance} of this batch")
        if training
        else N_("Running mean {mean} and variance {variance}")
    )
    return Table(
        name="numbers",
        title=say(words, mean=float(mean), variance=float(variance)),
        head=[say(N_("Number")), say("x"), say("x̂"), say("y = γ · x̂ + β")],
        rows=rows,
    )


def _compare_doubled(
    x: Tensor, values: Values, training: bool, mean: Tensor, variance: Tensor
) -> tuple[list[list[Panel]], bool]:
    """The output for the batch and for 2 · x + 3, and whether they are the same."""
    gamma, beta = values["gamma"], values["beta"]
    if training:
        first, second = (norm.normalize_batch(batch, gamma, beta)[3] for batch in (x, 2 * x + 3))
    else:
        first, second = (norm.normalize_running(batch, mean, variance, gamma, beta) for batch in (x, 2 * x + 3))
    largest = float((first - second).abs().max())
    table = Table(
        name="doubled",
        title=say(N_("y for the batch and for 2 · x + 3; largest difference {d}"), d=largest),
        head=[say(N_("Number")), say(N_("y of x")), say(N_("y of 2 · x + 3"))],
        rows=[[i + 1, float(first[i]), float(second[i])] for i in range(min(_LISTED, len(x)))],
    )
    return [[table]], largest < 1e-2


def train_both(subject: Subject, values: Values) -> Iterator[list[list[Panel]]]:
    """The same deep network with and without batch norm, by plain SGD at the visitor's learning rate."""
    digits = load_digits()
    networks = {kind: create_seeded(partial(norm.make_deep_network, kind), 5) for kind in (True, False)}
    runs = {
        kind: train_steps(network, digits.images, digits.labels, rate=values["rate"], seed=6, optimizer="sgd")
        for kind, network in networks.items()
    }
    losses: dict[bool, list[float]] = {True: [], False: []}
    for step in range(1, _STEPS + 1):
        for kind, run in runs.items():
            losses[kind].append(next(run))
        if step % 15:
            continue
        right = {
            kind: count_right(network, digits.test_images, digits.test_labels) for kind, network in networks.items()
        }
        x = torch.arange(1, step + 1).numpy()
        lines = [
            Line(label=say(N_("with batch norm")), x=x, y=torch.tensor(losses[True]).numpy()),
            Line(label=say(N_("without")), x=x, y=torch.tensor(losses[False]).numpy(), role="second"),
        ]
        title = say(
            N_("Loss. Right of {n} test images of {data}: {a} with, {b} without"),
            n=len(digits.test_labels),
            data=DATA,
            a=right[True],
            b=right[False],
        )
        yield [[Curves(name="losses", title=title, lines=lines, xlabel=say(N_("Steps of 64 images")), log=True)]]


LESSON = Lesson(
    name="batch-norm",
    idea=N_(
        "Batch norm gives every channel of a batch the mean 0 and the variance 1, then a learnt scale "
        "and shift. In eval() it uses running statistics instead, so that an answer does not depend "
        "on its neighbors."
    ),
    formula=r"\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad y = \gamma\,\hat x + \beta",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("The whole batch is doubled and moved by 3. What happens to the output in this mode?"),
        options={"same": N_("Nothing"), "changes": N_("It changes")},
        answer=lambda scene: str(scene.facts["answer"]),
        surprise=N_(
            "In train() size and shift of the input are forgotten; in eval() they are not. The name "
            "“covariate shift” promised more: Santurkar et al. added shifting noise behind batch norm and "
            "it helped all the same, by a smoother loss."
        ),
    ),
    code=(norm.normalize_batch, norm.normalize_running),
    ask=ask_questions,
    live=Live(button=N_("Train with and without it"), seconds=20, run=train_both, controls=("rate",)),
    at_work=(AtWork(page="pages/train/train.py", label=N_("Train cnn-bn")),),
    source="Ioffe & Szegedy 2015, Santurkar et al. 2018",
)
