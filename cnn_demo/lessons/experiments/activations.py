"""Lesson: activations, and the gradient through many layers of them."""

from __future__ import annotations

from functools import lru_cache

import torch

from cnn_demo.lessons import activations
from cnn_demo.lessons.activations import ACTIVATIONS, INITS, Depth
from cnn_demo.lessons.controls import Choice, Slider, Values
from cnn_demo.lessons.exercises.activations import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject
from cnn_demo.lessons.panels import Curves, Line, Panel, Role, Scene, Table
from cnn_demo.lessons.words import Words, say, write_tex
from cnn_demo.locales import N_

TITLES = {
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "silu": "SiLU",
    "gelu": "GELU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
INIT_TITLES = {
    "he": "He",
    "glorot": "Glorot",
    "small": N_("half of Glorot"),
    "large": N_("twice He"),
}
_REACH = 6.0

CONTROLS = (
    Choice(name="activation", label=N_("Activation"), options=TITLES, default="sigmoid"),
    Slider(name="x", label=N_("Input x"), low=-6.0, high=6.0, step=0.1, default=2.0),
    Slider(name="layers", label=N_("Layers"), low=2, high=40, default=20),
    Choice(name="init", label=N_("Weights begin with"), options=INIT_TITLES, default="glorot"),
)


@lru_cache(maxsize=64)
def find_depth(activation: str, layers: int, init: str) -> Depth:
    """The same signal for everybody: computed once."""
    return activations.pass_through(activation, layers, init)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    name, layers, init = values["activation"], values["layers"], values["init"]
    function, x = ACTIVATIONS[name], torch.linspace(-_REACH, _REACH, 241)
    here = torch.tensor([float(values["x"])])
    value, slope = float(function(here)), float(activations.find_slope(function, here))
    depth = find_depth(name, layers, init)
    places = torch.arange(layers + 1).numpy()
    rows: list[list[Panel]] = [
        [
            Curves(
                name="curve",
                title=say(N_("{name} and its slope"), name=TITLES[name]),
                lines=[
                    Line(label=say("f(x)"), x=x.numpy(), y=function(x).numpy()),
                    Line(label=say("f′(x)"), x=x.numpy(), y=activations.find_slope(function, x).numpy(), role="second"),
                ],
                xlabel=say("x"),
                at=(values["x"], value),
                control="x",
            ),
            Curves(
                name="gradients",
                title=say(N_("The gradient on its way back, root mean square")),
                lines=[_draw_gradients(other, layers, init, role) for other, role in _list_compared(name)],
                xlabel=say(N_("After layer (0: the input)")),
                log=True,
            ),
        ],
        [
            Curves(
                name="variances",
                title=say(N_("The variance of the signal, {name}, by how the weights begin"), name=TITLES[name]),
                lines=[
                    Line(
                        label=say(INIT_TITLES[other]),
                        x=places,
                        y=find_depth(name, layers, other).variances.numpy(),
                        role=role,
                    )
                    for other, role in zip(INITS, _ROLES, strict=True)
                ],
                xlabel=say(N_("After layer (0: the input)")),
                log=True,
            ),
        ],
    ]
    ratio = float(depth.gradients[0] / depth.gradients[-1])
    numbers = (
        rf"f({write_tex(values['x'])}) = {write_tex(value)}, \quad f'({write_tex(values['x'])}) = {write_tex(slope)}"
    )
    sigmoid = find_depth("sigmoid", 20, "glorot")
    lost = float(sigmoid.gradients[-1] / sigmoid.gradients[0])
    answer = "ten" if lost < 1e2 else "thousand" if lost < 1e5 else "million"
    return Scene(
        rows=rows,
        numbers=numbers,
        reveal=[[_tabulate(layers, init)]],
        facts={"answer": answer, "lost": lost, "ratio": ratio},
    )


_ROLES: tuple[Role, ...] = ("first", "second", "third", "faint")


def _list_compared(name: str) -> list[tuple[str, Role]]:
    others = [other for other in ("relu", "sigmoid", "tanh") if other != name]
    return list(zip((name, *others), _ROLES, strict=False))


def _draw_gradients(name: str, layers: int, init: str, role: Role) -> Line:
    depth = find_depth(name, layers, init)
    return Line(label=say(TITLES[name]), x=torch.arange(layers + 1).numpy(), y=depth.gradients.numpy(), role=role)


def _tabulate(layers: int, init: str) -> Table:
    rows: list[list[Words | float | str]] = []
    for name in ACTIVATIONS:
        depth = find_depth(name, layers, init)
        rows.append(
            [TITLES[name], float(depth.gradients[0] / depth.gradients[-1]), float(depth.variances[-1]), depth.silent]
        )
    return Table(
        name="compared",
        title=say(N_("After {n} layers, weights: {init}"), n=layers, init=say(INIT_TITLES[init])),
        head=[
            say(N_("Activation")),
            say(N_("gradient at the input / at the end")),
            say(N_("variance of the signal at the end")),
            say(N_("share of units that are 0 for all 64 inputs")),
        ],
        rows=rows,
    )


LESSON = Lesson(
    name="activations",
    idea=N_(
        "Without a bend between them, many linear layers are one. On the way back each layer "
        "multiplies the gradient by the slope of its activation: below 1 it vanishes, above it may "
        "explode."
    ),
    formula=r"\frac{\partial L}{\partial x_0} = \prod_{l=1}^{n} W_l^{\top} f'(z_l)\, \frac{\partial L}{\partial x_n}",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_(
            "Twenty layers with sigmoid, weights after Glorot: how much smaller is the gradient at the "
            "input than at the end?"
        ),
        options={
            "ten": N_("About ten times"),
            "thousand": N_("About a thousand times"),
            "million": N_("A million times and more"),
        },
        answer=lambda scene: str(scene.facts["answer"]),
        surprise=N_(
            "Here {lost} times. The sigmoid's slope is at most 1/4. ReLU's is 0 or 1: with weights after "
            "He the variance stays, because He makes up for the half that ReLU cuts off."
        ),
    ),
    code=(activations.find_slope, activations.pass_through, activations.find_deviation),
    ask=ask_questions,
    at_work=(AtWork(page="pages/train/train.py", label=N_("Choose one and train")),),
    source="Glorot & Bengio 2010, He et al. 2015",
)
