"""Lesson: residual connections."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

import torch
from torch import nn

from cnn_demo.lessons import residual
from cnn_demo.lessons.controls import Choice, Slider, Values
from cnn_demo.lessons.exercises.residual import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Live, Subject
from cnn_demo.lessons.panels import Bar, Bars, Curves, Line, Panel, Scene, Table
from cnn_demo.lessons.short_training import DATA, count_right, create_seeded, load_digits, train_steps
from cnn_demo.lessons.words import Words, say, write_number, write_tex
from cnn_demo.locales import N_

_WIDTH, _BATCH, _TOKENS, _STEPS = 32, 16, 8, 120

CONTROLS = (
    Choice(
        name="block",
        label=N_("Block"),
        options={"linear": N_("two linear layers"), "transformer": N_("a transformer block")},
        default="linear",
    ),
    Slider(name="depth", label=N_("Blocks"), low=10, high=50, step=5, default=20),
)


@lru_cache(maxsize=40)
def find_gradients(block: str, depth: int, skip: bool) -> residual.Gradients:
    """The same stack for everybody: computed once."""
    kind = residual.Block if block == "linear" else residual.TokenBlock
    shape = (_BATCH, _WIDTH) if block == "linear" else (_BATCH, _TOKENS, _WIDTH)
    stack = create_seeded(lambda: nn.Sequential(*(kind(_WIDTH, skip) for _ in range(depth))), 8)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(9))
    return residual.measure_gradients(list(stack.children()), x)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    block, depth = values["block"], values["depth"]
    found = {skip: find_gradients(block, depth, skip) for skip in (True, False)}
    places = torch.arange(depth + 1).numpy()
    rows: list[list[Panel]] = [
        [
            Curves(
                name="gradients",
                title=say(N_("The gradient at the input of each block, before any training")),
                lines=[
                    Line(label=say(N_("with the skip connection")), x=places, y=found[True].norms.numpy()),
                    Line(label=say(N_("without")), x=places, y=found[False].norms.numpy(), role="second"),
                ],
                xlabel=say(N_("After block (0: the input)")),
                log=True,
            ),
            _tabulate(found[True]),
        ]
    ]
    kept = {skip: float(gradients.norms[0] / gradients.norms[-1]) for skip, gradients in found.items()}
    reveal: list[list[Panel]] = [
        [
            Bars(
                name="kept",
                title=say(N_("What arrives at the input of a gradient of 1 at the end, after {n} blocks"), n=depth),
                bars=[
                    Bar(say(N_("with the skip connection")), kept[True]),
                    Bar(say(N_("without")), kept[False], "second"),
                ],
            )
        ]
    ]
    first = found[True]
    numbers = (
        rf"y_1 = {write_tex(float(first.f[0]))} + ({write_tex(float(first.x[0]))}) = {write_tex(float(first.y[0]))}"
    )
    lost = 1 / max(kept[False], 1e-38)
    answer = "little" if lost < 10 else "much" if lost < 1e4 else "all"
    return Scene(
        rows=rows,
        numbers=numbers,
        reveal=reveal,
        facts={"answer": answer, "kept": kept[True], "lost": write_number(lost, 3)},
    )


def _tabulate(gradients: residual.Gradients) -> Table:
    rows: list[list[Words | float | int]] = [
        [i + 1, *(float(part[i]) for part in (gradients.x, gradients.f, gradients.y))] for i in range(len(gradients.x))
    ]
    return Table(
        name="numbers",
        title=say(N_("Six numbers through the first block")),
        head=[say(N_("Number")), say("x"), say("F(x)"), say("y = F(x) + x")],
        rows=rows,
    )


def train_both(subject: Subject, values: Values) -> Iterator[list[list[Panel]]]:
    """The same deep network with and without skip connections, on the digits that ship."""
    digits, depth = load_digits(), values["depth"]
    networks = {skip: create_seeded(partial(residual.make_deep_network, depth, skip), 10) for skip in (True, False)}
    runs = {
        skip: train_steps(network, digits.images, digits.labels, rate=1e-3, seed=11)
        for skip, network in networks.items()
    }
    losses: dict[bool, list[float]] = {True: [], False: []}
    for step in range(1, _STEPS + 1):
        for skip, run in runs.items():
            losses[skip].append(next(run))
        if step % 10:
            continue
        right = {
            skip: count_right(network, digits.test_images, digits.test_labels) for skip, network in networks.items()
        }
        x = torch.arange(1, step + 1).numpy()
        lines = [
            Line(label=say(N_("with the skip connection")), x=x, y=torch.tensor(losses[True]).numpy()),
            Line(label=say(N_("without")), x=x, y=torch.tensor(losses[False]).numpy(), role="second"),
        ]
        title = say(
            N_("Loss. Right of {n} test images of {data}: {a} with, {b} without"),
            n=len(digits.test_labels),
            data=DATA,
            a=right[True],
            b=right[False],
        )
        yield [[Curves(name="losses", title=title, lines=lines, xlabel=say(N_("Steps of 64 images")), limits=(0, 2.6))]]


LESSON = Lesson(
    name="residual",
    idea=N_(
        "A residual block computes only a change and adds it to what came in. On the way back the "
        "gradient finds a path past every F: the addition hands it on as it is. So networks can be "
        "deep."
    ),
    formula=r"y = F(x) + x, \qquad \frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\left(F'(x) + 1\right)",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("Take the skip connections out, before any training. How much of the gradient reaches the input?"),
        options={
            "little": N_("A tenth or more"),
            "much": N_("About a thousandth"),
            "all": N_("Less than a ten-thousandth"),
        },
        answer=lambda scene: str(scene.facts["answer"]),
        surprise=N_(
            "Without them {lost} times less arrives: the first layers hardly learn, and the deeper the "
            "network, the worse. A transformer block has two such additions, for the same reason."
        ),
    ),
    code=(residual.Block, residual.TokenBlock, residual.measure_gradients),
    ask=ask_questions,
    live=Live(button=N_("Train with and without"), seconds=25, run=train_both, controls=("depth",)),
    at_work=(
        AtWork(page="pages/inspect/feature_maps.py", label=N_("In a ResNet"), params={"net": "untrained:resnet-small"}),
    ),
    source="He et al. 2016",
)
