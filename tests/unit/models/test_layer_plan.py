"""Shapes, parameters, multiply-adds, receptive fields and memory of layers, against PyTorch; and what cannot work."""

from __future__ import annotations

import math
import random

import pytest
import torch

from cnn_demo.inspect.architecture import layers as measure_layers
from cnn_demo.models.builder import create_built_model
from cnn_demo.models.layer_arithmetic import Change
from cnn_demo.models.layer_list import DEFAULT_TEXT, LAYERS, MAX_ROWS, Row, format_rows, parse_rows
from cnn_demo.models.layer_plan import Plan, Problem, plan_figures, plan_rows
from cnn_demo.models.registry import count_parameters
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.description import Flag, Real, Whole
from cnn_demo.settings.errors import ConfigError

EVERY_KIND = (
    "v1; conv channels=12 kernel=5 stride=2 padding=1; leaky-relu; conv channels=24 groups=4 dilation=2; silu; "
    "residual; residual channels=16 stride=2; se; avg-pool kernel=3 stride=1 padding=1; gelu; "
    "group-norm; conv channels=8 bias=no; "
    "batch-norm; relu; max-pool; global-pool; flatten; linear width=20; batch-norm; tanh; dropout rate=0.1; "
    "linear width=12; group-norm groups=3; sigmoid"
)


def plan(text: str, channels: int = 1, size: int = 28, classes: int = 10) -> Plan:
    return plan_rows(parse_rows(text), channels, size, classes)


def find_problem(text: str, size: int = 28) -> Problem:
    found = plan(text, size=size).problem
    assert found is not None
    return found


def compare_with_pytorch(text: str, channels: int, size: int, classes: int) -> None:
    """Each figure of each layer against what PyTorch does with an image."""
    planned = plan(text, channels, size, classes)
    assert planned.problem is None
    model = create_built_model(channels, size, classes, text).eval()
    measured = measure_layers(model, (channels, size, size))
    x = torch.zeros(2, channels, size, size)
    for layer, (name, module) in zip(planned.layers, model.named_children(), strict=True):
        x = module(x)
        assert layer.name == name
        assert layer.shape == tuple(x.shape[1:]), name
        assert layer.parameters == count_parameters(module), name
        assert layer.memory == x[0].numel() * 4
        parts = [part for part in measured if part.name == name or part.name.startswith(f"{name}.")]
        assert layer.multiply_adds == sum(part.multiply_adds for part in parts), name
        assert (layer.reach.widest,) * 2 == parts[-1].field.size, name
    assert planned.parameters == count_parameters(model)


@pytest.mark.parametrize("text", [DEFAULT_TEXT, EVERY_KIND, "v1"])
@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 28, 10), (3, 32, 7)])
def test_figures_are_those_of_pytorch(text: str, channels: int, size: int, classes: int) -> None:
    compare_with_pytorch(text, channels, size, classes)


def test_every_kind_of_layer_is_compared() -> None:
    assert {row.kind for row in parse_rows(EVERY_KIND)} == set(LAYERS.names)


def make_random_rows(dice: random.Random) -> list[Row]:
    rows = []
    for _ in range(dice.randint(1, 6)):
        entry = LAYERS.get(dice.choice(LAYERS.names))
        values: dict[str, object] = {}
        for option in entry.options:
            if dice.random() < 0.6:
                low, high = {"channels": (1, 12), "width": (1, 30)}.get(option.name, (0, 5))
                if isinstance(option.kind, Whole):
                    values[option.name] = dice.randint(max(low, option.kind.low), high)
                elif isinstance(option.kind, Flag):
                    values[option.name] = dice.random() < 0.5
                elif isinstance(option.kind, Real):
                    values[option.name] = 0.5
        rows.append(Row(entry.name, values))
    return rows


def test_random_lists_work_in_pytorch_or_become_lists_that_do_by_the_offered_changes() -> None:
    dice = random.Random(0)
    mended = 0
    for _ in range(150):
        rows = make_random_rows(dice)
        size = dice.choice([1, 5, 8, 28])
        for _attempt in range(20):
            problem = plan_rows(rows, 1, size, 10).problem
            if problem is None:
                break
            mended += 1
            change, place = problem.change, problem.row
            assert change is not None, (problem, format_rows(rows))
            if change.action == "set":
                rows[place] = Row(rows[place].kind, {**rows[place].values, change.name: change.value})
            elif change.action == "insert":
                rows.insert(place, Row(change.name, {}))
            else:
                del rows[place]
        compare_with_pytorch(format_rows(rows), 1, size, 10)
    assert mended > 30


def test_by_hand() -> None:
    layers = plan("v1; conv channels=8 kernel=5 stride=2 padding=0; max-pool").layers
    assert [layer.name for layer in layers] == ["conv1", "pool1", "flatten1", "logits"]
    conv, pool, flat, logits = layers
    assert conv.shape == (8, 12, 12)  # (28 - 5) // 2 + 1
    assert conv.parameters == 8 * 25 + 8
    assert conv.multiply_adds == 8 * 25 * 144
    assert (conv.reach.widest, pool.reach.widest) == (5, 7)
    assert (pool.shape, flat.shape, logits.shape) == ((8, 6, 6), (288,), (10,))
    assert logits.parameters == 288 * 10 + 10
    assert [layer.added for layer in layers] == [False, False, True, True]


def test_a_last_linear_layer_of_that_width_is_the_end() -> None:
    layers = plan("v1; flatten; linear width=10").layers
    assert [layer.name for layer in layers] == ["flatten1", "logits"]
    assert not layers[-1].added
    assert [layer.name for layer in plan("v1; flatten; linear width=11").layers] == ["flatten1", "linear1", "logits"]


def test_a_bias_directly_before_a_batch_norm_is_left_out_unless_asked_for() -> None:
    counts = [
        plan(f"v1; conv channels=4{more}").layers[0].parameters for more in ("; relu", "; batch-norm", " bias=no")
    ]
    assert counts == [40, 36, 36]
    assert plan("v1; conv channels=4 bias=yes; batch-norm").layers[0].parameters == 40


@pytest.mark.parametrize(
    ("text", "row", "said", "change"),
    [
        ("v1; max-pool; conv kernel=20 padding=0", 1, "spans 20 × 20", Change("set", "kernel", 14)),
        ("v1; conv kernel=3 dilation=15 padding=0", 0, "spans 31 × 31", Change("set", "kernel", 2)),
        ("v1; conv channels=12; conv channels=12 groups=5", 1, "divides both 12", Change("set", "groups", 4)),
        ("v1; conv kernel=0", 0, "from 1 to 31", Change("set", "kernel", 1)),
        ("v1; conv channels=many", 0, "from 1 to 1024", Change("set", "channels", 32)),
        ("v1; dropout rate=1.5", 0, "from 0 to 0.95", Change("set", "rate", 0.95)),
        ("v1; max-pool kernel=40", 0, "from 1 to 31", Change("set", "kernel", 31)),
        ("v1; max-pool kernel=2 padding=2", 0, "at most half its window: 1", Change("set", "padding", 1)),
        ("v1; global-pool; max-pool", 1, "a window that fits", Change("set", "kernel", 1)),
        ("v1; conv channels=12; group-norm", 1, "divides 12 channels", Change("set", "groups", 6)),
        ("v1; linear", 0, "behind a Flatten", Change("insert", "flatten")),
        ("v1; flatten; conv", 1, "before the maps are flattened", Change("remove")),
        ("v1" + "; relu" * (MAX_ROWS + 1), MAX_ROWS, "at most 40 layers", Change("remove")),
        ("v1; conv channels=1024; conv channels=1024; conv channels=1024", 1, "multiply-adds", None),
        ("v1; flatten; linear width=4000; linear width=4096; linear width=4096", 3, "20,000,000 parameters", None),
    ],
)
def test_what_cannot_work_is_explained_at_its_row(text: str, row: int, said: str, change: Change | None) -> None:
    problem = find_problem(text)
    assert problem.row == row
    assert said in problem.to_error().expected
    assert problem.to_error().field == "layers"
    if change is not None:
        assert problem.change == change
    else:  # the nearest width within the limit, and no wider one would do
        assert problem.change is not None
        rows = list(parse_rows(text))
        kind, values, near = rows[row].kind, rows[row].values, problem.change.value
        rows[row] = Row(kind, {**values, problem.change.name: near})
        assert (found := plan_rows(rows, 1, 28, 10).problem) is None or found.row > row
        rows[row] = Row(kind, {**values, problem.change.name: near + 1})
        assert (found := plan_rows(rows, 1, 28, 10).problem) is not None
        assert found.row == row


def test_pytorch_refuses_what_is_refused() -> None:
    x = torch.zeros(2, 1, 28, 28)
    for refused, function, args, options in (
        ("v1; conv kernel=30 padding=0", "Conv2d", (1, 32), {"kernel_size": 30}),
        ("v1; max-pool kernel=2 padding=2", "MaxPool2d", (2,), {"padding": 2}),
        ("v1; group-norm groups=2", "GroupNorm", (2, 1), {}),
    ):
        find_problem(refused)
        with pytest.raises((RuntimeError, ValueError)):
            getattr(torch.nn, function)(*args, **options)(x)


def test_a_config_is_refused_with_its_row_and_kept_apart_by_data_set() -> None:
    with pytest.raises(ConfigError, match=r"layers = '2: conv kernel=29 padding=0': must be a window that fits"):
        TrainConfig(model="builder", options={"layers": "v1; relu; conv kernel=29 padding=0"})
    config = TrainConfig(model="builder", dataset="cifar10", options={"layers": "v1; relu; conv kernel=29 padding=0"})
    with pytest.raises(ConfigError, match="layers"):
        config.replace(dataset="mnist")
    assert TrainConfig(model="builder").option("layers") == DEFAULT_TEXT
    with pytest.raises(ConfigError, match="begins with its version"):
        TrainConfig(model="builder", options={"layers": "conv"})


def test_figures_for_the_form() -> None:
    figures = plan_figures(1, 28, 10, "v1")
    assert figures == {"parameters": 28 * 28 * 10 + 10, "multiply_adds": 28 * 28 * 10}
    assert math.prod((28, 28, 10)) == plan("v1").multiply_adds
