"""Lesson: how a network learns, on numbers that fit on one screen."""

from __future__ import annotations

import torch

from cnn_demo.lessons import learning
from cnn_demo.lessons.controls import Choice, Slider, Switch, Values
from cnn_demo.lessons.exercises.learning import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject
from cnn_demo.lessons.panels import Bar, Bars, Curves, Graph, Grid, Line, Node, Panel, Scene, Table
from cnn_demo.lessons.words import Words, say, write_tex
from cnn_demo.locales import N_

HIDDEN = torch.tensor([[0.5, -0.3], [0.8, 0.4]])
OUTPUT = torch.tensor([[1.0, -0.6], [-0.7, 0.9]])
_STEPS = 5
_REACH, _SIDE = 2.0, 41  # the surface is drawn from −2 to 2 in so many cells

CONTROLS = (
    Choice(
        name="view",
        label=N_("What you look at"),
        options={
            "backward": N_("Forward, back, one step"),
            "softmax": N_("Softmax, cross-entropy"),
            "surface": N_("The rate on a surface"),
            "modes": N_("train(), eval(), no_grad()"),
        },
        default="backward",
    ),
    Slider(name="x", label=N_("Input x1"), low=-2.0, high=2.0, step=0.1, default=1.0, only=("view", ("backward",))),
    Slider(
        name="w", label=N_("Weight x1 → h1"), low=-2.0, high=2.0, step=0.1, default=0.5, only=("view", ("backward",))
    ),
    Choice(
        name="optimizer",
        label=N_("Optimizer"),
        options={"adam": "Adam", "sgd": "SGD", "momentum": N_("SGD with momentum 0.9")},
        default="adam",
        only=("view", ("backward", "surface")),
    ),
    Slider(
        name="rate",
        label=N_("Learning rate"),
        low=0.01,
        high=1.0,
        step=0.01,
        default=0.1,
        only=("view", ("backward", "surface")),
    ),
    Switch(name="forget", label=N_("Forget zero_grad()"), only=("view", ("backward",))),
    Slider(
        name="shift", label=N_("Add to every logit"), low=0, high=120, step=5, default=0, only=("view", ("softmax",))
    ),
    Slider(name="target", label=N_("Right class"), low=0, high=9, default=7, only=("view", ("softmax",))),
    Slider(name="share", label=N_("Dropout"), low=0.0, high=0.9, step=0.1, default=0.5, only=("view", ("modes",))),
)


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    views = {"backward": _show_backward, "softmax": _show_softmax, "surface": _show_surface, "modes": _show_modes}
    return views[values["view"]](subject, values)


def make_network(weight: float) -> learning.TinyNetwork:
    """The tiny network with one weight set by the visitor."""
    hidden = HIDDEN.clone()
    hidden[0, 0] = weight
    return learning.TinyNetwork(hidden, OUTPUT)


def _show_backward(subject: Subject, values: Values) -> Scene:
    network, x = make_network(values["w"]), torch.tensor([values["x"], 0.5])
    found = learning.run_pass(network, x, target=0)
    optimizer = "adam" if values["optimizer"] == "adam" else "sgd"  # from rest, momentum's first step is that of SGD
    rate = values["rate"]
    weights, gradients, losses = learning.train_tiny(network, x, 0, optimizer, rate, _STEPS, values["forget"])
    nodes = [
        *(Node(f"x{i + 1}", 0.0, 0.12 + 0.72 * i, float(found.x[i]), float(found.dx[i])) for i in range(2)),
        *(Node(f"h{i + 1}", 0.3, 0.12 + 0.72 * i, float(found.h[i]), float(found.dh[i])) for i in range(2)),
        *(Node(f"z{i + 1}", 0.58, 0.12 + 0.72 * i, float(found.z[i]), float(found.dz[i])) for i in range(2)),
        *(Node(f"p{i + 1}", 0.8, 0.12 + 0.72 * i, float(found.p[i])) for i in range(2)),
        Node("L", 1.0, 0.48, float(found.loss), 1.0),
    ]
    edges: list[tuple[str, str, float | None]] = [
        *((f"x{i + 1}", f"h{j + 1}", float(network.hidden[j, i])) for i in range(2) for j in range(2)),
        *((f"h{i + 1}", f"z{j + 1}", float(network.output[j, i])) for i in range(2) for j in range(2)),
        *((f"z{i + 1}", f"p{j + 1}", None) for i in range(2) for j in range(2)),
        ("p1", "L", None),
    ]
    graph = Graph(
        name="graph",
        title=say(
            N_("Forward: values above the nodes. Back: ∂, the slope of the loss, below them. The right class is 1.")
        ),
        nodes=nodes,
        edges=edges,
    )
    rows: list[list[Panel]] = [[graph], [_tabulate_steps(optimizer, rate, weights, gradients, losses)]]
    kept = learning.train_tiny(network, x, 0, optimizer, rate, _STEPS, forget=False)
    piled = learning.train_tiny(network, x, 0, optimizer, rate, _STEPS, forget=True)
    steps = torch.arange(1, _STEPS + 1).numpy()
    reveal: list[list[Panel]] = [
        [
            Curves(
                name="forgotten",
                title=say(N_("The gradient that each step uses")),
                lines=[
                    Line(label=say(N_("with zero_grad()")), x=steps, y=torch.tensor(kept[1]).numpy(), dots=True),
                    Line(label=say(N_("without")), x=steps, y=torch.tensor(piled[1]).numpy(), role="second", dots=True),
                ],
                xlabel=say(N_("Step")),
            )
        ]
    ]
    slope = float(found.dhidden[0, 0])
    numbers = (
        r"\frac{\partial L}{\partial w} = \frac{\partial L}{\partial h_1}(1 - h_1^2)\,x_1 = "
        rf"{write_tex(float(found.dh[0]))}\,(1 - {write_tex(float(found.h[0] ** 2))}) \cdot {write_tex(values['x'])} "
        rf"= {write_tex(slope)}"
    )
    return Scene(rows=rows, numbers=numbers, reveal=reveal, facts={"guess": "sum"})


def _tabulate_steps(
    optimizer: str, rate: float, weights: list[float], gradients: list[float], losses: list[float]
) -> Table:
    head = [say(N_("Step")), say(N_("Loss")), say(N_("Gradient"))]
    rows: list[list[Words | float | int]] = []
    if optimizer == "adam":
        steps = learning.step_adam(weights[0], gradients, rate)
        head += [
            say("m"),
            say("v"),
            say("m̂"),
            say("v̂"),
            say(N_("Weight by the formula")),
            say(N_("Weight by torch.optim")),
        ]
        rows = [
            [t, losses[t - 1], s.gradient, s.mean, s.square, s.mean_hat, s.square_hat, s.weight, weights[t]]
            for t, s in enumerate(steps, 1)
        ]
        title = say(N_("Adam on the weight x1 → h1, which begins at {w}"), w=weights[0])
    else:
        by_hand = torch.tensor(weights[0])
        head += [say(N_("Weight by the formula")), say(N_("Weight by torch.optim"))]
        for t, gradient in enumerate(gradients, 1):
            by_hand = by_hand - rate * torch.tensor(gradient)
            rows.append([t, losses[t - 1], gradient, float(by_hand), weights[t]])
        title = say(N_("SGD on the weight x1 → h1, which begins at {w}"), w=weights[0])
    return Table(name="steps", title=title, head=head, rows=rows)


def _show_softmax(subject: Subject, values: Values) -> Scene:
    logits = subject.logits()
    if len(logits) > 10:
        logits = logits.topk(10).values
    target = min(values["target"], len(logits) - 1)
    shifted = logits + values["shift"]
    naive, safe = learning.softmax_naively(shifted), learning.softmax_safely(shifted)
    loss = learning.cross_entropy(shifted, target)
    classes = subject.network.spec.classes if len(logits) == len(subject.network.spec.classes) else range(len(logits))
    table = Table(
        name="softmax",
        title=say(N_("The logits of your network for your image, and what softmax makes of them")),
        head=[
            say(N_("Class")),
            say(N_("Logit")),
            say(N_("exp(logit)")),
            say(N_("Naive share")),
            say(N_("exp(logit − max)")),
            say(N_("Share")),
        ],
        rows=[
            [
                say(str(name)),
                *(float(v[i]) for v in (shifted, shifted.exp(), naive, (shifted - shifted.max()).exp(), safe)),
            ]
            for i, name in enumerate(classes)
        ],
        chosen=target,
        note=say(
            N_(
                "In float32 exp overflows to infinity above 88; ∞ / ∞ is no number. Taking off the largest "
                "logit changes no share."
            )
        ),
    )
    curve = torch.linspace(0.01, 1, 100)
    rows: list[list[Panel]] = [
        [
            table,
            Curves(
                name="surprise",
                title=say(N_("Cross-entropy against the share of the right class")),
                lines=[Line(label=say("−log p"), x=curve.numpy(), y=(-curve.log()).numpy())],
                xlabel=say(N_("Share of the right class")),
                at=(float(safe[target]), float(loss)),
            ),
        ]
    ]
    numbers = rf"L = -\log p_{{{target}}} = -\log({write_tex(float(safe[target]))}) = {write_tex(float(loss))}"
    return Scene(rows=rows, numbers=numbers, facts={"guess": ""})


def _show_surface(subject: Subject, values: Values) -> Scene:
    start = torch.tensor([-1.6, 0.8])
    path = learning.descend(learning.bowl, start, values["optimizer"], values["rate"], 40)
    axis = torch.linspace(-_REACH, _REACH, _SIDE)
    surface = learning.bowl(torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1))
    cells = ((path + _REACH) / (2 * _REACH) * (_SIDE - 1)).round()
    inside = cells[((cells >= 0) & (cells < _SIDE)).all(1)].int().tolist()
    losses = learning.bowl(path)
    steep = 8.0  # the largest curvature of the bowl: 2 · 2 · |(1, 1)|²
    plain = values["optimizer"] == "sgd"
    words = (
        say(
            N_("The valley is curved by {c} across. Plain SGD diverges above 2 / {c} = {limit}."),
            c=steep,
            limit=2 / steep,
        )
        if plain
        else say(N_("Rings: where the optimizer stood after each step. It began at row 4, column 28."))
    )
    rows: list[list[Panel]] = [
        [
            Grid(
                name="surface",
                title=say(N_("log(1 + loss) over two weights, and the path of {n} steps"), n=len(path) - 1),
                values=surface.log1p().numpy(),
                rings=[(int(row), int(column)) for row, column in inside],
                width=330,
                note=words,
            ),
            Curves(
                name="losses",
                title=say(N_("Loss after each step")),
                lines=[Line(label=say(N_("Loss")), x=torch.arange(len(path)).numpy(), y=losses.numpy())],
                xlabel=say(N_("Step")),
                log=True,
            ),
        ]
    ]
    last = float(losses[-1])
    first = write_tex(float(losses[0]))
    numbers = rf"w \leftarrow w - {write_tex(values['rate'])}\,\nabla L(w): \quad L = {first} \to {write_tex(last)}"
    return Scene(rows=rows, numbers=numbers if plain else "", facts={"guess": ""})


def _show_modes(subject: Subject, values: Values) -> Scene:
    first, second, still = learning.compare_modes(12, values["share"], seed=0)
    kept = learning.count_saved_bytes(subject.network.model, subject.batch.expand(32, -1, -1, -1))
    table: list[list[Words | float | int]] = [
        [say(words), *row.tolist()]
        for words, row in (
            (N_("train(), first call"), first),
            (N_("train(), second call"), second),
            (N_("eval()"), still),
        )
    ]
    rows: list[list[Panel]] = [
        [
            Table(
                name="modes",
                title=say(N_("Twelve ones through Dropout({p})"), p=values["share"]),
                head=[say(""), *(say(str(i)) for i in range(12))],
                rows=table,
                note=say(
                    N_(
                        "In train() a part is set to zero and the rest divided by 1 − {p}, anew at each call; eval() "
                        "changes nothing. Forget eval(), and the answers of a network change from call to call."
                    ),
                    p=values["share"],
                ),
            )
        ],
        [
            Bars(
                name="memory",
                title=say(N_("What autograd keeps of one pass of 32 images through your network, in MB")),
                bars=[
                    Bar(say(N_("for backward()")), kept / 2**20),
                    Bar(say(N_("in no_grad()")), 0.0, "second"),
                ],
                note=say(N_("backward() needs the inputs of the layers again. In no_grad() none are kept.")),
            )
        ],
    ]
    return Scene(rows=rows, facts={"guess": ""})


LESSON = Lesson(
    name="learning",
    idea=N_(
        "The loss says how wrong an answer is. Backpropagation finds how the loss would change with "
        "each number on the way: the chain rule, from the end to the beginning. The optimizer then "
        "moves every weight a little downhill."
    ),
    formula=r"w \leftarrow w - \eta\,\frac{\partial L}{\partial w}, \qquad L = -\log \frac{e^{z_y}}{\sum_k e^{z_k}}",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("You forget zero_grad(). Which gradient does the second step use?"),
        options={"new": N_("The new one"), "sum": N_("The sum of both"), "none": N_("None: an error")},
        answer=lambda scene: str(scene.facts["guess"]),
        surprise=N_(
            "backward() adds to what is there. Nothing complains: the steps grow, and the loss may even "
            "fall faster for a while. Used on purpose, it makes a large batch from small ones."
        ),
    ),
    code=(learning.run_pass, learning.step_adam, learning.cross_entropy),
    ask=ask_questions,
    at_work=(AtWork(page="pages/train/train.py", label=N_("Train with it")),),
    source="Kingma & Ba 2015",
)
