"""Lesson: what happens to the pixels first, and what becomes of a trained network when one forgets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import DATASETS, get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.lessons import pixels
from cnn_demo.lessons.controls import Choice, Slider, Values
from cnn_demo.lessons.exercises.pixels import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Live, Subject
from cnn_demo.lessons.panels import Bar, Bars, Curves, Grid, Line, Panel, Scene, Table, Text
from cnn_demo.lessons.words import say, write_tex
from cnn_demo.locales import N_

_BINS = 40
COUNTED = 200  # test images, on which the faults are counted

FAULTS = {
    "none": N_("as in training"),
    "unit": N_("Normalize forgotten"),
    "bytes": N_("no ToTensor: 0 to 255"),
    "twice": N_("Normalize twice"),
    "inverted": N_("dark on light"),
}

CONTROLS = (
    Choice(
        name="stage",
        label=N_("Look at the pixels"),
        options={
            "bytes": N_("as they are stored"),
            "unit": N_("after ToTensor"),
            "normalized": N_("after Normalize"),
        },
        default="normalized",
    ),
    Slider(name="images", label=N_("Images in the mean"), low=10, high=2000, step=10, default=1000),
    Choice(name="fault", label=N_("Prepare your image"), options=FAULTS, default="none"),
)


@lru_cache(maxsize=4)
def load_images(name: str) -> Dataset | None:
    """A data set that is on this machine; mnist-mini for other digits; None where there is nothing."""
    if name not in DATASETS.names:  # a network for photographs
        return None
    try:
        return load_dataset(name, download=False)
    except DatasetUnavailable:
        return load_dataset("mnist-mini", download=False) if get_spec(name).digits else None


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    spec = subject.network.spec
    data = load_images(spec.name)
    if data is None:
        words = say(N_("The images that this network was trained on are not on this machine. Choose another network."))
        return Scene(rows=[[Text(name="none", lines=[words])]], facts={"range": ""})
    split = data.train
    count = min(values["images"], len(split))
    images = split.images[:count]
    mean, std = pixels.measure_pixels(images)
    left = _draw_histogram(values["stage"], images, mean, std)
    rows: list[list[Panel]] = [
        [left, _draw_means(split, count)],
        [*_show_answer(subject, values["fault"])],
    ]
    ends = torch.tensor([0, 255], dtype=torch.uint8).expand(1, len(mean), 1, 2)  # black and white
    low, high = _normalize_all(ends, mean, std)[0, 0, 0].tolist()
    numbers = rf"\frac{{0 - {write_tex(float(mean[0]))}}}{{{write_tex(float(std[0]))}}} = {write_tex(low)}, \qquad "
    numbers += rf"\frac{{1 - {write_tex(float(mean[0]))}}}{{{write_tex(float(std[0]))}}} = {write_tex(high)}"
    reveal: list[list[Panel]] = [
        [
            Table(
                name="range",
                title=say(N_("The pixels of {n} training images"), n=count),
                head=[say(""), say(N_("Smallest")), say(N_("Largest")), say(N_("Mean")), say(N_("Standard deviation"))],
                rows=[
                    [say(N_("as they are stored")), *_summarize(images.double())],
                    [say(N_("after ToTensor")), *_summarize(images.double() / 255)],
                    [say(N_("after Normalize")), *_summarize(_normalize_all(images, mean, std))],
                ],
            )
        ]
    ]
    return Scene(
        rows=rows,
        numbers=numbers,
        reveal=reveal,
        facts={"range": "more" if high > 2.5 else "", "low": low, "high": high},
    )


def _summarize(values: Tensor) -> list[float]:
    return [float(v) for v in (values.min(), values.max(), values.mean(), values.std(correction=0))]


def _normalize_all(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return normalize(images, Measured(tuple(mean.tolist()), tuple(std.tolist()))).double()


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean and deviation as they were measured, in the place of a data set's own."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def _draw_histogram(stage: str, images: Tensor, mean: Tensor, std: Tensor) -> Curves:
    values = {
        "bytes": lambda: images.float(),
        "unit": lambda: pixels.scale_to_unit(images),
        "normalized": lambda: _normalize_all(images, mean, std).float(),
    }[stage]()
    low, high = float(values.min()), float(values.max())
    shares = pixels.count_bins(values, low, high, _BINS)
    width = (high - low) / _BINS
    centers = torch.linspace(low + width / 2, high - width / 2, _BINS)
    return Curves(
        name="histogram",
        title=say(N_("Share of the pixels in each of {n} bins, from {low} to {high}"), n=_BINS, low=low, high=high),
        lines=[Line(label=say(N_("Share")), x=centers.numpy(), y=shares.numpy(), dots=True)],
        xlabel=say(N_("Value of a pixel")),
        log=True,
    )


def _draw_means(split: Split, count: int) -> Curves:
    counts = sorted({int(c) for c in torch.logspace(0, torch.tensor(float(count)).log10().item(), 12)} | {count})
    found = pixels.measure_gradually(split.images, counts)
    x = torch.tensor(counts).numpy()
    return Curves(
        name="means",
        title=say(
            N_("Mean {mean} and deviation {std} after {n} images"),
            mean=float(found[-1][0][0]),
            std=float(found[-1][1][0]),
            n=count,
        ),
        lines=[
            Line(label=say(N_("Mean")), x=x, y=torch.stack([m for m, _s in found])[:, 0].numpy(), dots=True),
            Line(
                label=say(N_("Standard deviation")),
                x=x,
                y=torch.stack([s for _m, s in found])[:, 0].numpy(),
                role="second",
                dots=True,
            ),
        ],
        xlabel=say(N_("Images")),
    )


@torch.no_grad()
def _show_answer(subject: Subject, fault: str) -> list[Panel]:
    spec, network = subject.network.spec, subject.network
    inputs = pixels.prepare_wrongly(subject.image, spec, fault)
    shares = network.model(inputs)[0].softmax(0)
    top = shares.topk(min(3, len(shares)))
    title = say(N_("What your network makes of it, {how}"), how=say(FAULTS[fault]))
    return [
        Grid(
            name="input",
            title=say(
                N_("Your image as the network gets it, from {low} to {high}"),
                low=float(inputs.min()),
                high=float(inputs.max()),
            ),
            values=inputs[0, 0].numpy(),
            colors="gray",
            width=170,
        ),
        Bars(
            name="answer",
            title=title,
            bars=[
                Bar(say(spec.classes[int(i)]), float(share), "first" if rank == 0 else "faint")
                for rank, (share, i) in enumerate(zip(top.values, top.indices, strict=True))
            ],
            limit=1.0,
            note=say(N_("Three largest shares of softmax. Count the faults below: one image proves nothing.")),
        ),
    ]


def count_faults(subject: Subject, values: Values) -> Iterator[list[list[Panel]]]:
    """Read the same test images with every fault, one fault after the other."""
    spec, data = subject.network.spec, load_images(subject.network.spec.name)
    if data is None:
        yield [[Text(name="none", lines=[say(N_("The test images of this network are not on this machine."))])]]
        return
    images, labels = data.test.images[:COUNTED], data.test.labels[:COUNTED]
    found: list[Bar] = []
    for fault, words in FAULTS.items():
        right = pixels.count_correct(subject.network.model, images, labels, spec, fault)
        found.append(Bar(say(words), right, "first" if fault == "none" else "second"))
        title = say(N_("Right answers among the first {n} test images of {data}"), n=len(labels), data=data.spec.name)
        yield [[Bars(name="faults", title=title, bars=list(found), limit=len(labels))]]


LESSON = Lesson(
    name="pixels",
    idea=N_(
        "ToTensor turns bytes into numbers from 0 to 1. Normalize takes off the mean of all training "
        "pixels and divides by their deviation, so that every layer begins with numbers of a size "
        "that its weights were made for."
    ),
    formula=r"x' = \frac{x / 255 - \mu}{\sigma}",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("Between which numbers do the pixels lie after Normalize?"),
        options={
            "one": N_("Between −1 and 1"),
            "unit": N_("Between 0 and 1"),
            "more": N_("From about −0.4 to almost 3"),
        },
        answer=lambda scene: str(scene.facts["range"]),
        surprise=N_(
            "Mean 0 and deviation 1 do not mean “between −1 and 1”: most pixels are black, so white is "
            "far out. A network that is fed without Normalize still answers, and does not say that it "
            "guesses."
        ),
    ),
    code=(pixels.scale_to_unit, pixels.measure_pixels, normalize),
    ask=ask_questions,
    live=Live(button=N_("Count the faults on 200 test images"), seconds=15, run=count_faults, needs_subject=True),
    at_work=(AtWork(page="pages/draw/draw.py", label=N_("Stages of a drawing")),),
)
