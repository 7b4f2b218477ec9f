"""Lesson: one convolution, term by term, with everything that one can set on it."""

from __future__ import annotations

import torch
from torch import Tensor

from cnn_demo.lessons import convolution as conv
from cnn_demo.lessons.controls import Cells, Choice, Painting, Slider, Switch, Values
from cnn_demo.lessons.exercises.convolution import ask_questions
from cnn_demo.lessons.experiments.convolution_setup import set_up
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject
from cnn_demo.lessons.panels import EMPTY, Grid, Panel, Scene, Text, Window
from cnn_demo.lessons.words import Words, say
from cnn_demo.locales import N_

_MOST_NUMBERS = 9  # a kernel of so many columns still shows its numbers
_UNIT = ("kernel", ("unit",))  # a pinned unit brings its own stride, padding and dilation

CONTROLS = (
    Choice(
        name="kernel",
        label=N_("Kernel"),
        options={
            "sobel-x": N_("Sobel, left to right"),
            "sobel-y": N_("Sobel, top to bottom"),
            "identity": N_("Identity"),
            "blur": N_("Blur"),
            "sharpen": N_("Sharpen"),
            "laplacian": N_("Laplacian"),
            "learnt": N_("Learnt by your network"),
            "unit": N_("The pinned unit"),
            "own": N_("My own numbers"),
        },
        default="sobel-x",
    ),
    Slider(name="channel", label=N_("Output channel"), low=0, high=63, only=("kernel", ("learnt",))),
    Slider(
        name="rank",
        label=N_("Input channel, the strongest first"),
        low=1,
        high=64,
        default=1,
        only=("kernel", ("unit",)),
    ),
    Slider(name="size", label=N_("Kernel size"), low=1, high=7, default=3, only=("kernel", ("blur", "identity"))),
    Slider(name="stride", label=N_("Stride"), low=1, high=4, default=1, unless=_UNIT),
    Choice(
        name="padding",
        label=N_("Padding"),
        options={"valid": N_("none (valid)"), "same": N_("same: keeps the size"), "n": N_("n cells")},
        default="valid",
        unless=_UNIT,
    ),
    Slider(name="n", label=N_("Cells on each side"), low=0, high=6, default=1, only=("padding", ("n",)), unless=_UNIT),
    Choice(
        name="fill",
        label=N_("Filled with"),
        options={"zeros": N_("zeros"), "reflect": N_("a mirror image"), "circular": N_("the other side")},
        default="zeros",
        only=("padding", ("same", "n")),
        unless=_UNIT,
    ),
    Slider(name="dilation", label=N_("Dilation"), low=1, high=4, default=1, unless=_UNIT),
    Switch(
        name="transposed",
        label=N_("Transposed convolution"),
        help=N_("The way back: each input value stamps the kernel into the output."),
    ),
    Cells(name="cells", label=N_("Numbers of the kernel"), sets=("kernel", "own")),
    Painting(name="painted", label=N_("Painted input")),
    Slider(name="at", label=N_("Place of the window"), low=0, high=4095),
)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    setup = set_up(subject, values)
    if setup is None:
        words = say(
            N_(
                "Click a unit of a convolution on Feature maps first; then this lesson opens with its window "
                "and kernel."
            )
        )
        return Scene(rows=[[Text(name="none", lines=[words])]], facts={"same": ""})
    image, kernel, bias = setup.image, setup.kernel, setup.bias
    stride, dilation, before, after, ink = setup.stride, setup.dilation, setup.before, setup.after, setup.ink
    if values["transposed"]:
        return _show_transposed(image, kernel, stride)
    size, extent = image.shape[0], kernel.shape[0]
    outputs, lost = conv.count_outputs(size, extent, before + after, stride, dilation)
    numbers = (
        rf"H_\text{{out}} = \left\lfloor \frac{{{size} + {before + after} - {dilation}({extent}-1) - 1}}{{{stride}}} "
        rf"\right\rfloor + 1 = {outputs}"
    )
    if outputs == 0:
        words = say(
            N_(
                "The kernel reaches over {reach} cells and the padded input has {have}: there is no place for "
                "it. Lower the dilation or add padding."
            ),
            reach=dilation * (extent - 1) + 1,
            have=size + before + after,
        )
        return Scene(
            rows=[[_draw_input(image, image, (0, 0), ink), Text(name="none", lines=[words])]],
            numbers=numbers,
            facts={"same": ""},
        )
    padded = conv.pad_image(image, (before, after, before, after), setup.fill)
    output = conv.cross_correlate(padded, kernel, bias, stride, dilation)
    turned = conv.convolve(padded, kernel, bias, stride, dilation)
    products = conv.list_products(padded, kernel, stride, dilation)
    across = output.shape[1]
    window = Window(
        name="window",
        title=setup.title if setup.title.text else say(N_("The window, product by product")),
        source="input",
        kernel="kernel",
        output="output",
        rule="sum",
        terms=products.numpy(),
        running=conv.add_up(products).numpy(),
        size=(extent, kernel.shape[1]),
        stride=(stride, stride),
        dilation=(dilation, dilation),
        bias=bias,
        at=min(int(output.abs().argmax()) if setup.at is None else setup.at, output.numel() - 1),
        control="at",
    )
    lost_words = (
        say(N_("The division leaves {n}: so many rows and columns at the far end are in no window."), n=lost)
        if lost
        else EMPTY
    )
    rows: list[list[Panel]] = [
        [
            _draw_input(image, padded, (before, after), ink, lost_words, paint=values["kernel"] != "unit"),
            _draw_kernel(kernel),
            Grid(
                name="output",
                title=say(N_("Output, {h} × {w}"), h=output.shape[0], w=across),
                values=output.numpy(),
                colors="diverging",
                width=260,
            ),
        ],
        [window],
    ]
    if setup.channels:
        rows.append([setup.channels])
    difference = output - turned
    limit = float(max(output.abs().max(), turned.abs().max())) or 1.0
    reveal = [
        [
            Grid(
                name="turned-kernel",
                title=say(N_("The kernel, turned by 180°")),
                values=kernel.flip(0, 1).numpy(),
                colors="diverging",
                numbers=extent <= _MOST_NUMBERS,
                width=200,
            ),
            Grid(
                name="turned",
                title=say(N_("True convolution")),
                values=turned.numpy(),
                colors="diverging",
                limits=(-limit, limit),
                width=220,
            ),
            Grid(
                name="difference",
                title=say(N_("Output − true convolution")),
                values=difference.numpy(),
                colors="diverging",
                limits=(-limit, limit),
                width=220,
            ),
        ]
    ]
    return Scene(rows=rows, numbers=numbers, reveal=reveal, facts={"same": _compare(output, turned, bias)})


def _draw_input(
    image: Tensor,
    padded: Tensor,
    ends: tuple[int, int],
    ink: tuple[float, float],
    note: Words = EMPTY,
    paint: bool = True,
) -> Grid:
    outside = torch.ones_like(padded, dtype=torch.bool)
    outside[ends[0] : ends[0] + image.shape[0], ends[0] : ends[0] + image.shape[1]] = False
    words = N_("Input, {h} × {w}: paint on it") if paint else N_("Input, {h} × {w}")
    title = say(words, h=image.shape[0], w=image.shape[1])
    return Grid(
        name="input",
        title=title,
        values=padded.numpy(),
        colors="gray",
        limits=ink,
        outside=outside.numpy(),
        edit="painted" if paint else "",
        ink=ink,
        width=260,
        note=note,
    )


def _draw_kernel(kernel: Tensor) -> Grid:
    title = say(N_("Kernel, {h} × {w}: type your own numbers"), h=kernel.shape[0], w=kernel.shape[1])
    return Grid(
        name="kernel", title=title, values=kernel.numpy(), colors="diverging", numbers=True, edit="cells", width=170
    )


def _show_transposed(image: Tensor, kernel: Tensor, stride: int) -> Scene:
    small = image[4:-4:2, 4:-4:2]  # every second cell: the way back makes it large again
    output = conv.transpose_convolve(small, kernel, stride)
    stamps = conv.count_stamps((small.shape[0], small.shape[1]), (kernel.shape[0], kernel.shape[1]), stride)
    uneven = kernel.shape[0] % stride != 0
    note = (
        say(
            N_(
                "The stride {s} does not divide the kernel size {k}: stamps overlap unevenly, and a "
                "checkerboard appears."
            ),
            s=stride,
            k=kernel.shape[0],
        )
        if uneven
        else say(
            N_("The stride {s} divides the kernel size {k}: inside, as many stamps overlap everywhere."),
            s=stride,
            k=kernel.shape[0],
        )
    )
    h, k = small.shape[0], kernel.shape[0]
    rows: list[list[Panel]] = [
        [
            Grid(
                name="input",
                title=say(N_("Input, {h} × {w}"), h=h, w=small.shape[1]),
                values=small.numpy(),
                colors="gray",
                width=200,
            ),
            _draw_kernel(kernel),
            Grid(
                name="output",
                title=say(N_("Output, {h} × {w}"), h=output.shape[0], w=output.shape[1]),
                values=output.numpy(),
                colors="diverging",
                width=300,
            ),
            Grid(
                name="stamps",
                title=say(N_("Stamps on each cell")),
                values=stamps.numpy(),
                colors="sequential",
                limits=(0, float(stamps.max())),
                width=300,
                note=note,
            ),
        ]
    ]
    numbers = rf"H_\text{{out}} = ({h} - 1) \cdot {stride} + {k} = {output.shape[0]}"
    return Scene(rows=rows, numbers=numbers, facts={"same": ""})


def _compare(output: Tensor, turned: Tensor, bias: float) -> str:
    if torch.allclose(output, turned, atol=1e-6):
        return "same"
    return "sign" if torch.allclose(output - bias, bias - turned, atol=1e-6) else "other"


LESSON = Lesson(
    name="convolution",
    idea=N_(
        "A small matrix, the kernel, slides over the image. At each place window and kernel are "
        "multiplied cell by cell and added up: one number of the output. Point at any cell and follow "
        "its sum."
    ),
    formula=r"\text{Output}(i,j) = \sum_{m}\sum_{n} W(m,n)\, X(i\,s + m\,d,\; j\,s + n\,d) + b",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("In mathematics a convolution turns the kernel by 180° first. What would that change here?"),
        options={
            "same": N_("Nothing"),
            "sign": N_("Only the sign"),
            "other": N_("Another picture"),
        },
        answer=lambda scene: str(scene.facts["same"]),
        surprise=N_(
            "What PyTorch calls a convolution is a cross-correlation: the kernel is not turned. A network "
            "learns its kernels, so it learns them turned, and nothing is lost."
        ),
    ),
    code=(conv.cross_correlate, conv.list_products, conv.count_outputs),
    ask=ask_questions,
    at_work=(AtWork(page="pages/inspect/feature_maps.py", label=N_("In your network")),),
    source="Dumoulin & Visin 2016",
)
