"""Lesson: pooling, who wins and where the gradient goes."""

from __future__ import annotations

import torch
from torch import Tensor

from cnn_demo.lessons import pooling
from cnn_demo.lessons.controls import Choice, Painting, Slider, Values
from cnn_demo.lessons.exercises.pooling import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject, read_painting
from cnn_demo.lessons.panels import Curves, Grid, Line, Panel, Role, Scene, Window
from cnn_demo.lessons.words import say, write_tex
from cnn_demo.locales import N_

_SHIFTS = range(5)

CONTROLS = (
    Choice(
        name="rule",
        label=N_("Pooling"),
        options={"max": N_("the largest (max)"), "mean": N_("the mean (average)")},
        default="max",
    ),
    Slider(name="size", label=N_("Window size"), low=2, high=5, default=2),
    Slider(name="stride", label=N_("Stride"), low=1, high=4, default=2),
    Painting(name="painted", label=N_("Painted input")),
    Slider(name="at", label=N_("Place of the window"), low=0, high=4095),
)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    image = read_painting(values["painted"]) if values["painted"] else subject.gray
    rule, size, stride = values["rule"], values["size"], values["stride"]
    output = pooling.pool(image, rule, size, stride)
    gradient = pooling.route_gradient(image, rule, size, stride)
    windows = pooling.list_windows(image, size, stride)
    h, w = output.shape
    rows: list[list[Panel]] = [
        [
            Grid(
                name="input",
                title=say(N_("Input, {h} × {w}: paint on it"), h=image.shape[0], w=image.shape[1]),
                values=image.numpy(),
                colors="gray",
                limits=(0, 1),
                edit="painted",
                width=224,
            ),
            Grid(
                name="output",
                title=say(N_("Output, {h} × {w}"), h=h, w=w),
                values=output.numpy(),
                colors="gray",
                limits=(0, 1),
                width=196,
            ),
            _draw_changes(image, size, stride),
        ],
        [
            Window(
                name="window",
                title=say(N_("One window")),
                source="input",
                kernel="",
                output="output",
                rule=rule,
                terms=windows.numpy(),
                running=pooling.compare_gradually(windows, rule).numpy(),
                size=(size, size),
                stride=(stride, stride),
                at=min(values["at"] or int(output.argmax()), output.numel() - 1),
                control="at",
            )
        ],
    ]
    other = "mean" if rule == "max" else "max"
    mean = pooling.pool(image, "mean", size, stride)
    same = float((mean - pooling.pool_by_convolution(image, size, stride)).abs().max())
    note = say(
        N_("Average pooling is a convolution: weights 1/{n}, the same stride. Largest difference: {d}."),
        n=size**2,
        d=same,
    )
    reveal: list[list[Panel]] = [
        [
            _draw_gradient("gradient", rule, gradient),
            _draw_gradient("gradient-other", other, pooling.route_gradient(image, other, size, stride)),
            Grid(
                name="mean-by-convolution",
                title=say(N_("The mean, by a convolution of stride {s}"), s=stride),
                values=pooling.pool_by_convolution(image, size, stride).numpy(),
                colors="gray",
                limits=(0, 1),
                width=196,
                note=note,
            ),
        ]
    ]
    numbers = rf"H_\text{{out}} = \left\lfloor \frac{{{image.shape[0]} - {size}}}{{{stride}}} \right\rfloor + 1 = {h}"
    winners = int((gradient != 0).sum())
    return Scene(
        rows=rows,
        numbers=numbers,
        reveal=reveal,
        facts={"answer": "one", "winners": winners, "largest": write_tex(float(output.max()))},
    )


def _draw_gradient(name: str, rule: str, gradient: Tensor) -> Grid:
    title = N_("Gradient of the largest (max)") if rule == "max" else N_("Gradient of the mean (average)")
    return Grid(name=name, title=say(title), values=gradient.numpy(), limits=(0, float(gradient.max())), width=196)


def _draw_changes(image: Tensor, size: int, stride: int) -> Curves:
    x = torch.tensor(list(_SHIFTS)).numpy()
    kinds: tuple[tuple[str, str, Role], ...] = (
        ("none", N_("without pooling"), "faint"),
        ("max", N_("max"), "first"),
        ("mean", N_("average"), "second"),
    )
    lines = []
    for rule, words, role in kinds:
        changes = torch.tensor([pooling.measure_change(image, shift, rule, size, stride) for shift in _SHIFTS])
        lines.append(Line(label=say(words), x=x, y=changes.numpy(), role=role, dots=True))
    return Curves(
        name="changes",
        title=say(N_("How much the map changes when the image moves")),
        lines=lines,
        xlabel=say(N_("Shift (pixels)")),
        ylabel=say(N_("length of the change / length of the map")),
        limits=(0, 1.6),
    )


LESSON = Lesson(
    name="pooling",
    idea=N_(
        "Pooling makes a map smaller: of every window it keeps the largest number, or the mean. "
        "Nothing is learnt in it. A small shift of the image then changes less, for the winner often "
        "stays in its window."
    ),
    formula=r"Y(i,j) = \max_{m,n} X(i\,s + m,\; j\,s + n)",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("On the way back: which numbers of a window get the gradient of its maximum?"),
        options={"all": N_("All, in equal parts"), "one": N_("The winner alone"), "share": N_("Each by its share")},
        answer=lambda scene: str(scene.facts["answer"]),
        surprise=N_(
            "The winner takes all; the others learn nothing from this image. Where all are equal, PyTorch "
            "takes the first, so black windows have a bright corner. The mean gives everybody the same."
        ),
    ),
    code=(pooling.pool, pooling.route_gradient, pooling.pool_by_convolution),
    ask=ask_questions,
    at_work=(AtWork(page="pages/inspect/feature_maps.py", label=N_("In your network")),),
    source="Boureau et al. 2010",
)
