"""Lesson: why not a plain network?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import torch

from cnn_demo.lessons import plain_network as plain
from cnn_demo.lessons.controls import Slider, Values
from cnn_demo.lessons.exercises.plain_network import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Live, Subject
from cnn_demo.lessons.panels import Bar, Bars, Curves, Grid, Line, Panel, Role, Scene
from cnn_demo.lessons.short_training import DATA, count_right, create_seeded, load_digits, train_steps
from cnn_demo.lessons.words import say
from cnn_demo.locales import N_

_SEED = 7  # of the permutation, in the pictures and in the training
_STEPS = 200

CONTROLS = (
    Slider(name="height", label=N_("Image height H"), low=8, high=224, step=4, default=28),
    Slider(name="width", label=N_("Image width W"), low=8, high=224, step=4, default=28),
    Slider(name="channels", label=N_("Image channels C"), low=1, high=16, default=1),
    Slider(name="units", label=N_("Units of the fully connected layer"), low=8, high=1024, step=8, default=128),
    Slider(name="kernel", label=N_("Kernel size K"), low=1, high=11, step=2, default=3),
    Slider(name="outputs", label=N_("Output channels of the convolution"), low=8, high=256, step=8, default=32),
)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    h, w, c, u = (values[name] for name in ("height", "width", "channels", "units"))
    k, o = values["kernel"], values["outputs"]
    linear, convolution = plain.count_linear(h, w, c, u), plain.count_convolution(h, w, c, k, o)
    rows: list[list[Panel]] = [
        [
            _compare("parameters", N_("Parameters"), linear.parameters, convolution.parameters),
            _compare(
                "multiply-adds", N_("Multiply-adds for one image"), linear.multiply_adds, convolution.multiply_adds
            ),
        ],
        [
            _compare("memory", N_("Memory of the weights, bytes in float32"), linear.nbytes, convolution.nbytes),
        ],
    ]
    image = subject.gray[None, None]
    order = plain.draw_permutation(image.numel(), _SEED)
    reveal: list[list[Panel]] = [
        [
            Grid(
                name="image",
                title=say(N_("Your image")),
                values=image[0, 0].numpy(),
                colors="gray",
                limits=(0, 1),
                width=168,
            ),
            Grid(
                name="shuffled",
                title=say(N_("The same pixels, shuffled")),
                values=plain.shuffle_pixels(image, order)[0, 0].numpy(),
                colors="gray",
                limits=(0, 1),
                width=168,
            ),
        ]
    ]
    numbers = rf"{h} \cdot {w} \cdot {c} \cdot {u} + {u} = {_tex(linear.parameters)}, \qquad "
    numbers += rf"{k} \cdot {k} \cdot {c} \cdot {o} + {o} = {_tex(convolution.parameters)}"
    return Scene(rows=rows, numbers=numbers, reveal=reveal, facts={"ratio": linear.parameters / convolution.parameters})


def _tex(value: int) -> str:
    return f"{value:,}".replace(",", "{,}")


def _compare(name: str, title: str, linear: int, convolution: int) -> Bars:
    bars = [Bar(say(N_("fully connected")), linear, "second"), Bar(say(N_("convolution")), convolution)]
    return Bars(name=name, title=say(title), bars=bars)


def train_four(subject: Subject, values: Values) -> Iterator[list[list[Panel]]]:
    """Both networks on images, and both on images whose pixels are shuffled by one fixed permutation."""
    digits = load_digits()
    order = plain.draw_permutation(784, _SEED)
    shuffled, shuffled_test = (plain.shuffle_pixels(x, order) for x in (digits.images, digits.test_images))
    makers = {"convolution": plain.make_convolutional, "plain": plain.make_plain}
    words = {
        ("convolution", False): N_("convolution, images"),
        ("convolution", True): N_("convolution, shuffled pixels"),
        ("plain", False): N_("fully connected, images"),
        ("plain", True): N_("fully connected, shuffled pixels"),
    }
    networks = {key: create_seeded(makers[key[0]], 3) for key in words}
    runs = {
        key: train_steps(network, shuffled if key[1] else digits.images, digits.labels, rate=2e-3, seed=4)
        for key, network in networks.items()
    }
    steps, found = [0], {key: [0.1] for key in words}
    n = len(digits.test_labels)
    for key, network in networks.items():
        found[key] = [count_right(network, shuffled_test if key[1] else digits.test_images, digits.test_labels) / n]
    roles: tuple[Role, ...] = get_args(Role)[:4]
    for step in range(1, _STEPS + 1):
        for run in runs.values():
            next(run)
        if step % 20:
            continue
        steps.append(step)
        for key, network in networks.items():
            right = count_right(network, shuffled_test if key[1] else digits.test_images, digits.test_labels)
            found[key].append(right / n)
        lines = [
            Line(label=say(words[key]), x=torch.tensor(steps).numpy(), y=torch.tensor(found[key]).numpy(), role=role)
            for key, role in zip(words, roles, strict=True)
        ]
        title = say(N_("Accuracy on {n} test images of {data}; 11,386 and 11,140 parameters"), n=n, data=DATA)
        yield [[Curves(name="race", title=title, lines=lines, xlabel=say(N_("Steps of 64 images")), limits=(0, 1))]]


LESSON = Lesson(
    name="plain-network",
    idea=N_(
        "A fully connected layer has a weight for every pixel and every unit. A convolution has one "
        "small kernel for all places: parameter sharing. Make the image larger and see which of the "
        "two grows."
    ),
    formula=r"H \cdot W \cdot C \cdot U + U \;\leftrightarrow\; K \cdot K \cdot C \cdot C_\text{out} + C_\text{out}",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("Shuffle the pixels of all images in one fixed way, in training and test. Which network gets worse?"),
        options={
            "plain": N_("The fully connected one"),
            "conv": N_("The convolution"),
            "both": N_("Both"),
            "none": N_("None"),
        },
        answer="conv",
        surprise=N_(
            "For a fully connected layer no pixel has neighbors: any order is as good. The convolution "
            "lives on neighbors. Shuffled, its advantage is gone. Train all four and see."
        ),
    ),
    code=(plain.count_linear, plain.count_convolution, plain.shuffle_pixels),
    ask=ask_questions,
    live=Live(button=N_("Train all four"), seconds=25, run=train_four),
    at_work=(AtWork(page="pages/train/train.py", label=N_("Train a network")),),
    source="LeCun et al. 1998",
)
