"""Lesson: many channels in, many out, and what they cost."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cnn_demo.inspect.capture import Node, capture
from cnn_demo.inspect.receptive import window_settings
from cnn_demo.lessons import channels
from cnn_demo.lessons.controls import Choice, Slider, Values
from cnn_demo.lessons.exercises.channels import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject
from cnn_demo.lessons.panels import Bar, Bars, Grid, Panel, Scene, Text
from cnn_demo.lessons.words import Words, say, write_tex
from cnn_demo.locales import N_

_SHOWN = 3  # input channels that are drawn; the others are one sum

CONTROLS = (
    Choice(
        name="source",
        label=N_("Look at"),
        options={"photo": N_("a photo: red, green, blue"), "network": N_("a layer of your network")},
        default="photo",
    ),
    Choice(
        name="filter",
        label=N_("Kernels"),
        options={
            "edges": N_("Edges in all colors"),
            "gray": N_("Gray: weighted (1 × 1)"),
            "red-green": N_("Red minus green"),
            "blue-yellow": N_("Blue minus yellow"),
        },
        default="red-green",
        only=("source", ("photo",)),
    ),
    Slider(
        name="layer", label=N_("Convolution, from the first"), low=1, high=20, default=2, only=("source", ("network",))
    ),
    Slider(name="channel", label=N_("Output channel"), low=0, high=511, only=("source", ("network",))),
    Slider(name="inputs", label=N_("Input channels"), low=8, high=256, step=8, default=32),
    Slider(name="outputs", label=N_("Output channels"), low=8, high=256, step=8, default=64),
    Slider(name="kernel", label=N_("Kernel size"), low=1, high=7, step=2, default=3),
    Choice(name="groups", label=N_("Groups"), options={"1": "1", "2": "2", "4": "4", "8": "8"}, default="4"),
)


@lru_cache(maxsize=1)
def load_photo() -> Tensor:
    """A color photo, ``(3, 75, 64)`` in [0, 1]: Grace Hopper, a photo of the US Navy that comes with matplotlib."""
    from matplotlib import cbook
    from PIL import Image

    with Image.open(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((64, 75), Image.Resampling.BOX), np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())  # (H, W, 3) -> (3, H, W)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    rows = _show_photo(values) if values["source"] == "photo" else _show_network(subject, values)
    cost = _count_costs(values)
    inputs, outputs, kernel = values["inputs"], values["outputs"], values["kernel"]
    full, pair = cost["full"], cost["pair"]
    rows = [*rows, [_draw_costs(cost, "parameters"), _draw_costs(cost, "multiply_adds")]]
    ratio = pair.parameters / full.parameters
    answer = min({"half": 1 / 2, "eighth": 1 / 8, "all": 1.0}.items(), key=lambda item: abs(np.log(item[1] / ratio)))[0]
    numbers = rf"{kernel} \cdot {kernel} \cdot {inputs} \cdot {outputs} + {outputs} = {write_tex(full.parameters)}"
    return Scene(rows=rows, numbers=numbers, facts={"ratio": ratio, "answer": answer})


def _show_photo(values: Values) -> list[list[Panel]]:
    photo, weight = load_photo(), channels.FILTERS[values["filter"]]
    parts = channels.split_by_input(photo, weight, padding=(1, 1))
    output = parts.sum(0)
    names = (N_("red"), N_("green"), N_("blue"))
    limit = float(parts.abs().max())
    rows: list[list[Panel]] = [
        [
            Grid(name="photo", title=say(N_("Input: three channels")), values=photo.numpy(), width=140),
            *(
                Grid(
                    name=f"kernel-{i}",
                    title=say(N_("Kernel for {name}"), name=say(names[i])),
                    values=weight[i].numpy(),
                    colors="diverging",
                    limits=(-float(weight.abs().max()), float(weight.abs().max())),
                    numbers=True,
                    width=155,
                )
                for i in range(3)
            ),
        ],
        [
            *(
                Grid(
                    name=f"part-{i}",
                    title=say(N_("From {name}"), name=say(names[i])),
                    values=parts[i].numpy(),
                    colors="diverging",
                    limits=(-limit, limit),
                    width=140,
                )
                for i in range(3)
            ),
            Grid(
                name="output",
                title=say(N_("Their sum: one output channel")),
                values=output.numpy(),
                colors="diverging",
                width=200,
            ),
        ],
    ]
    return rows


def _show_network(subject: Subject, values: Values) -> list[list[Panel]]:
    found = find_convolution(subject, values["layer"])
    if found is None:
        words = say(N_("Your network has no convolution without groups to look at."))
        return [[Text(name="none", lines=[words])]]
    node, x = found
    weights: Tensor = node.settings["weight"].detach()
    channel = min(values["channel"], len(weights) - 1)
    kernel, stride, padding, dilation = window_settings(node)
    del kernel
    parts = channels.split_by_input(x, weights[channel], stride, padding, dilation)
    bias = 0.0 if node.settings.get("bias") is None else float(node.settings["bias"][channel])
    output = parts.sum(0) + bias
    order = parts.flatten(1).abs().sum(1).argsort(descending=True)
    shown = order[:_SHOWN].tolist()
    rest = parts[order[_SHOWN:]].sum(0) if len(order) > _SHOWN else None
    limit = float(parts.abs().max())
    first: list[Panel] = [
        Grid(name=f"input-{i}", title=say(N_("Input channel {n}"), n=i), values=x[i].numpy(), width=126) for i in shown
    ]
    second: list[Panel] = [
        Grid(
            name=f"part-{i}",
            title=say(N_("From channel {n}"), n=i),
            values=parts[i].numpy(),
            colors="diverging",
            limits=(-limit, limit),
            width=126,
        )
        for i in shown
    ]
    if rest is not None:
        title = say(N_("From the other {n}"), n=len(order) - _SHOWN)
        second.append(Grid(name="rest", title=title, values=rest.numpy(), colors="diverging", width=126))
    title = say(N_("{layer}, channel {channel}: their sum + bias {bias}"), layer=node.name, channel=channel, bias=bias)
    second.append(Grid(name="output", title=title, values=output.numpy(), colors="diverging", width=126))
    return [first, second]


def find_convolution(subject: Subject, number: int) -> tuple[Node, Tensor] | None:
    """The convolution of that number (from 1; the last where there are fewer) and what it reads, ``(C_in, H, W)``.

    Convolutions with groups are left out. None where there is none.
    """
    with torch.no_grad(), capture(subject.network.model) as maps:
        maps(subject.batch)
    found = [
        node
        for node in maps.nodes.values()
        if node.op == "conv2d" and node.settings.get("groups", 1) == 1 and node.inputs[0] in maps
    ]
    if not found:
        return None
    node = found[min(number, len(found)) - 1]
    return node, maps[node.inputs[0]][0]


def _count_costs(values: Values) -> dict[str, channels.Cost]:
    inputs, outputs, kernel, places = values["inputs"], values["outputs"], values["kernel"], 28 * 28
    return {
        "full": channels.count_cost(inputs, outputs, kernel, places),
        "groups": channels.count_cost(inputs, outputs, kernel, places, int(values["groups"])),
        "point": channels.count_cost(inputs, outputs, 1, places),
        "pair": channels.count_separable_cost(inputs, outputs, kernel, places),
    }


def _draw_costs(cost: dict[str, channels.Cost], what: str) -> Bars:
    words = {
        "full": N_("Convolution"),
        "groups": N_("in groups"),
        "point": N_("1 × 1"),
        "pair": N_("depthwise + pointwise"),
    }
    titles: dict[str, Words] = {
        "parameters": say(N_("Parameters")),
        "multiply_adds": say(N_("Multiply-adds for a map of 28 × 28")),
    }
    bars = [
        Bar(say(words[name]), getattr(c, what), "second" if name == "pair" else "first") for name, c in cost.items()
    ]
    return Bars(name=what, title=titles[what], bars=bars)


LESSON = Lesson(
    name="channels",
    idea=N_(
        "A kernel has a slice for every input channel. Each slice slides over its own channel; the "
        "results are added to one output channel. Another kernel of the same shape makes the next "
        "output channel."
    ),
    formula=r"Y_o = b_o + \sum_{c} W_{o,c} \star X_c, \qquad K^2 \cdot C_\text{in} \cdot C_\text{out} + C_\text{out}",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_(
            "First each channel on its own, then a 1 × 1 convolution that mixes them: how many parameters "
            "does that leave?"
        ),
        options={"all": N_("As many as before"), "half": N_("About half"), "eighth": N_("About an eighth")},
        answer=lambda scene: str(scene.facts["answer"]),
        surprise=N_(
            "The pair needs {ratio} times the parameters: about 1/C_out + 1/K². It cannot do all that a "
            "full convolution can, yet MobileNet and Xception are built of it."
        ),
    ),
    code=(channels.split_by_input, channels.convolve_depthwise_pointwise, channels.count_cost),
    ask=ask_questions,
    at_work=(AtWork(page="pages/inspect/feature_maps.py", label=N_("In your network")),),
    source="Howard et al. 2017",
)
