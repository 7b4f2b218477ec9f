"""Lesson: moving the image and moving the map, and where that is no longer the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_demo.lessons import convolution as conv
from cnn_demo.lessons import equivariance as equi
from cnn_demo.lessons.controls import Choice, Slider, Switch, Values
from cnn_demo.lessons.exercises.equivariance import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Live, Subject
from cnn_demo.lessons.panels import Curves, Grid, Line, Panel, Scene, Table
from cnn_demo.lessons.short_training import DATA, count_right, create_seeded, load_digits, train_steps
from cnn_demo.lessons.words import Words, say, write_tex
from cnn_demo.locales import N_

_STEPS = 120  # of each network in the live part


@dataclass(frozen=True, slots=True)
class _Move:
    """What the two networks of the live part are asked about, and what one of them is trained on."""

    trained: tuple[float, float]  # the least and the most
    tested: tuple[float, ...]
    label: str
    xlabel: str


_MOVES = {
    "shift": _Move(
        (-6, 6), tuple(range(9)), N_("trained on shifted images"), N_("Test images shifted right by so many pixels")
    ),
    "turn": _Move(
        (-90, 90), tuple(range(0, 106, 15)), N_("trained on turned images"), N_("Test images turned by so many degrees")
    ),
    "scale": _Move(
        (0.5, 1.4),
        tuple(size / 10 for size in range(4, 16)),
        N_("trained on scaled images"),
        N_("Test images scaled by so much"),
    ),
}

CONTROLS = (
    Choice(
        name="move",
        label=N_("What you do to the image"),
        options={"shift": N_("Shift it"), "turn": N_("Turn it"), "scale": N_("Scale it")},
        default="shift",
    ),
    Slider(name="right", label=N_("Shift right (pixels)"), low=-8, high=8, default=3, only=("move", ("shift",))),
    Slider(name="down", label=N_("Shift down (pixels)"), low=-8, high=8, default=0, only=("move", ("shift",))),
    Slider(
        name="angle", label=N_("Rotate (degrees)"), low=-180, high=180, step=15, default=45, only=("move", ("turn",))
    ),
    Slider(name="factor", label=N_("Scale"), low=0.5, high=1.5, step=0.1, default=0.7, only=("move", ("scale",))),
    Choice(
        name="layer",
        label=N_("What the network does"),
        options={
            "plain": N_("a convolution"),
            "stride": N_("a convolution of stride 2"),
            "pool": N_("conv + 2 × 2 max pooling"),
        },
        default="plain",
    ),
    Choice(
        name="kernel",
        label=N_("Kernel"),
        options={
            "sobel-x": N_("Sobel, left to right"),
            "laplacian": N_("Laplacian"),
            "blur": N_("Blur"),
            "learnt": N_("Learnt by your network"),
        },
        default="sobel-x",
    ),
    Switch(
        name="around",
        label=N_("What leaves comes in on the other side"),
        help=N_("Then there is no border: the image is a ring in both directions."),
    ),
)


def find_kernel(subject: Subject, name: str) -> Tensor:
    """The kernel, ``(k, k)`` with k odd; of the network the first one of its first convolution, if that is odd."""
    if name == "learnt":
        for module in subject.network.model.modules():
            if (
                isinstance(module, nn.Conv2d)
                and module.kernel_size[0] == module.kernel_size[1]
                and module.kernel_size[0] % 2
            ):
                return module.weight[0, 0].detach()
    return conv.KERNELS.get(name, conv.KERNELS["sobel-x"])


def build_layer(layer: str, kernel: Tensor, around: bool) -> tuple[Callable[[Tensor], Tensor], int]:
    """The function of a layer, and by how much it makes the map smaller."""
    if layer == "stride":
        return lambda x: equi.filter_image(x, kernel, 2, around), 2
    if layer == "pool":
        return lambda x: equi.pool_image(equi.filter_image(x, kernel, 1, around)), 2
    return lambda x: equi.filter_image(x, kernel, 1, around), 1


def build_move(values: Values, factor: int) -> Callable[[Tensor], Tensor]:
    """What is done to the image (``factor`` 1), or to a map that is smaller by ``factor``: whole cells only."""
    if values["move"] == "turn":
        return lambda x: equi.turn_or_scale(x, angle=values["angle"])
    if values["move"] == "scale":
        return lambda x: equi.turn_or_scale(x, scale=values["factor"])
    down, right = (round(values[name] / factor) for name in ("down", "right"))
    return lambda x: equi.translate(x, down, right, values["around"])


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    image, kernel = subject.gray, find_kernel(subject, values["kernel"])
    layer, factor = build_layer(values["layer"], kernel, values["around"])
    moved = build_move(values, 1)(image)
    first, second = layer(moved), build_move(values, factor)(layer(image))
    difference = first - second
    limit = float(max(first.abs().max(), second.abs().max())) or 1.0
    largest = float(difference.abs().max())
    rows: list[list[Panel]] = [
        [
            Grid(name="image", title=say(N_("Image X")), values=image.numpy(), colors="gray", limits=(0, 1), width=112),
            Grid(
                name="moved",
                title=say(N_("Moved: T(X)")),
                values=moved.numpy(),
                colors="gray",
                limits=(0, 1),
                width=112,
            ),
        ],
        [
            _draw_map("first", say(N_("Moved, then filtered: f(T(X))")), first, limit),
            _draw_map("second", say(N_("Filtered, then moved: T(f(X))")), second, limit),
            _draw_map("difference", say(N_("Difference, at most {d}"), d=largest), difference, limit),
        ],
    ]
    numbers = rf"\max \left| f(T(X)) - T(f(X)) \right| = {write_tex(largest)}"
    answer = "even" if values["move"] == "shift" else ""
    return Scene(
        rows=rows, numbers=numbers, reveal=[[_tabulate(image, kernel)]], facts={"answer": answer, "largest": largest}
    )


def _draw_map(name: str, title: Words, values: Tensor, limit: float) -> Grid:
    return Grid(name=name, title=title, values=values.numpy(), colors="diverging", limits=(-limit, limit), width=196)


def _tabulate(image: Tensor, kernel: Tensor) -> Table:
    """The largest difference for shifts to the right, on a ring, so that no border is in the way."""
    shifts = (1, 2, 3, 4)
    rows: list[list[Words | float]] = []
    for name, words in (
        ("plain", N_("a convolution")),
        ("stride", N_("a convolution of stride 2")),
        ("pool", N_("conv + 2 × 2 max pooling")),
    ):
        layer, factor = build_layer(name, kernel, True)
        found = []
        for shift in shifts:
            first = layer(equi.translate(image, 0, shift, True))
            second = equi.translate(layer(image), 0, round(shift / factor), True)
            found.append(float((first - second).abs().max()))
        rows.append([say(words), *found])
    return Table(
        name="shifts",
        title=say(N_("Largest difference after a shift to the right, on a ring")),
        head=[say(""), *(say(N_("{n} pixels"), n=shift) for shift in shifts)],
        rows=rows,
    )


def move_images(images: Tensor, move: str, amounts: Tensor) -> Tensor:
    """Each image of a batch ``(N, 1, H, W)`` shifted right by whole pixels, turned by degrees or scaled.

    Args:
        images: normalized; the background, their smallest value, comes in.
        move: shift, turn or scale.
        amounts: ``(N,)``.
    """
    background = images.min()
    ink = images - background
    if move == "shift":
        moved = torch.stack([equi.translate(image, 0, int(by)) for image, by in zip(ink, amounts, strict=True)])
    elif move == "turn":
        moved = equi.turn_or_scale_each(ink, amounts, torch.ones(len(ink)))
    else:
        moved = equi.turn_or_scale_each(ink, torch.zeros(len(ink)), amounts)
    return moved + background


def move_randomly(move: str) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The augmentation of that move: each image of a batch by a random amount, as far as the chart reaches."""
    low, high = _MOVES[move].trained

    def change(images: Tensor, stream: torch.Generator) -> Tensor:
        amounts = low + (high - low) * torch.rand(len(images), generator=stream)
        return move_images(images, move, amounts.round() if move == "shift" else amounts)

    return change


def make_small_network() -> nn.Module:
    """Two convolutions and one linear layer: small enough to train while one looks."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(576, 10),
    )


def train_both(subject: Subject, values: Values) -> Iterator[list[list[Panel]]]:
    """One network on images as they are, one on moved ones; then both are asked about moved test images."""
    digits, move = load_digits(), values["move"]
    networks = {name: create_seeded(make_small_network, 1) for name in ("plain", "moved")}
    runs = {
        name: train_steps(
            network,
            digits.images,
            digits.labels,
            rate=3e-3,
            seed=2,
            change=move_randomly(move) if name == "moved" else None,
        )
        for name, network in networks.items()
    }
    for step in range(1, _STEPS + 1):
        for run in runs.values():
            next(run)
        if step % 20 == 0:
            yield [[_draw_accuracies(networks, move, digits.test_images, digits.test_labels, step)]]


def _draw_accuracies(networks: dict[str, nn.Module], move: str, images: Tensor, labels: Tensor, step: int) -> Curves:
    asked = _MOVES[move]
    found: dict[str, list[float]] = {name: [] for name in networks}
    for amount in asked.tested:
        moved = move_images(images, move, torch.full((len(images),), float(amount)))
        for name, network in networks.items():
            found[name].append(count_right(network, moved, labels) / len(labels))
    x = torch.tensor(asked.tested).numpy()
    title = N_("Accuracy on {n} test images of {data} after {step} steps of 64 images")
    lines = [
        Line(label=say(N_("trained on images as they are")), x=x, y=torch.tensor(found["plain"]).numpy(), dots=True),
        Line(label=say(asked.label), x=x, y=torch.tensor(found["moved"]).numpy(), role="second", dots=True),
    ]
    return Curves(
        name="accuracies",
        title=say(title, n=len(labels), data=DATA, step=step),
        lines=lines,
        xlabel=say(asked.xlabel),
        limits=(0, 1),
    )


LESSON = Lesson(
    name="equivariance",
    idea=N_(
        "One kernel serves every place. So it makes no difference whether you move the image and then "
        "filter, or filter and then move the map. This is translation equivariance. Move the digit "
        "and look at the difference."
    ),
    formula=r"f(T(X)) = T(f(X))",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("With stride 2: for which shifts of the image is the difference zero, borders aside?"),
        options={"all": N_("For all"), "even": N_("Only for even ones"), "no": N_("For none")},
        answer=lambda scene: str(scene.facts["answer"]),
        surprise=N_(
            "A step of 2 sees every second place only: after a shift by one pixel it looks at other "
            "pixels. For turned or scaled images most kernels have no such symmetry at all; augmentation "
            "teaches what the layer does not have."
        ),
    ),
    code=(equi.filter_image, equi.translate, equi.pool_image),
    ask=ask_questions,
    live=Live(
        button=N_("Train one network with this move and one without"), seconds=20, run=train_both, controls=("move",)
    ),
    at_work=(AtWork(page="pages/inspect/feature_maps.py", label=N_("Move your image")),),
    source="Cohen & Welling 2016",
)
