"""Every architecture of the table: shapes, arithmetic, training and resume, also with its options off their defaults.

A model that is added to the table is tested here without a word more, unless it has an option that is a text: then an
example of one goes to :data:`TEXTS`.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import DatasetSpec, list_specs
from cnn_demo.inspect.capture import capture
from cnn_demo.inspect.steps import Step
from cnn_demo.inspect.trace import trace_unit
from cnn_demo.models.registry import MODELS, count_parameters, create_configured_model
from cnn_demo.prediction.load import load_folder
from cnn_demo.runs.estimate import estimate
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.description import Choice, Flag, Real, Setting, Whole
from cnn_demo.training.events import CheckpointDue, Progress, Snapshot
from cnn_demo.training.loop import fit
from cnn_demo.training.snapshot import load_snapshot, save_checkpoint
from cnn_demo.training.state import pack_state

# One data set for each shape of input and number of classes.
SPECS = list({(spec.channels, spec.size, len(spec.classes)): spec for spec in reversed(list_specs())}.values())
# Other values of options that are texts: nobody can guess them.
TEXTS: dict[str, list[str]] = {
    "layers": [
        "v1; conv channels=8 kernel=5 dilation=2 padding=4; group-norm groups=4; gelu; conv channels=8 groups=2 "
        "stride=2; batch-norm; leaky-relu; max-pool kernel=3 stride=2 padding=1; residual channels=16 stride=2; se; "
        "silu; avg-pool; tanh; sigmoid; dropout rate=0.1; flatten; linear width=32; relu"
    ],
}
# Operations whose units are not taken apart into smaller steps, each with the reason.
WHOLE = {"input": "the pixels: there is nothing before them"}


def other_values(setting: Setting) -> list[Any]:
    """Values of an option besides its default; a model may refuse some of them."""
    default, kind = setting.default, setting.kind
    if isinstance(kind, Choice):
        return [name for name in kind.names if name != default]
    if isinstance(kind, Flag):
        return [not default]
    if isinstance(kind, Whole):
        values = [default - kind.step, default + kind.step, default * 2, kind.low]
    elif isinstance(kind, Real):
        values = [default / 2, (kind.low + kind.high) / 2]
    else:
        return TEXTS[setting.name]
    return [value for value in values if kind.accepts(value) and value != default]


@dataclass(frozen=True)
class Case:
    """A model, with one of its options at the first of these values that the model accepts; or with all of them."""

    model: str
    options: Mapping[str, list[Any]]

    def __str__(self) -> str:
        named = [f"{name}={str(values[0])[:9]}" for name, values in self.options.items()]
        return " ".join([self.model, *named])

    def configure(self, spec: DatasetSpec, **settings: Any) -> TrainConfig:
        """A config with these options.

        Raises:
            StopIteration: the model accepts nothing but its default for one of them.
        """
        options: dict[str, Any] = {}
        for name, values in self.options.items():
            options |= next({name: value} for value in values if self._accepts({**options, name: value}, spec))
        return TrainConfig(model=self.model, dataset=spec.name, device="cpu", options=options, **settings)

    def _accepts(self, options: dict[str, Any], spec: DatasetSpec) -> bool:
        try:
            config = TrainConfig(model=self.model, dataset=spec.name, options=options)
            with torch.device("meta"):
                create_configured_model(config, spec)
        except ValueError:
            return False
        return True

    def build(self, spec: DatasetSpec) -> nn.Module:
        torch.manual_seed(0)
        return create_configured_model(self.configure(spec), spec)


def list_cases() -> list[Case]:
    """Each model as it is, and with each option at other values: a choice and a flag at all, a number at one."""
    cases = []
    for entry in MODELS:
        cases.append(Case(entry.name, {}))
        for option in entry.options:
            values = other_values(option)
            each = [[value] for value in values] if isinstance(option.kind, Choice | Flag) else [values]
            cases += [Case(entry.name, {option.name: found}) for found in each]
    return cases


CASES = list_cases()
PLAIN_AND_OTHER = [Case(name, {}) for name in MODELS.names] + [
    Case(entry.name, {option.name: other_values(option) for option in entry.options})
    for entry in MODELS
    if entry.options
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_logits_and_parameters(case: Case, spec: DatasetSpec) -> None:
    model = case.build(spec).eval()
    with torch.no_grad():
        logits = model(torch.randn(2, spec.channels, spec.size, spec.size))
    assert logits.shape == (2, len(spec.classes))
    assert logits.isfinite().all()
    if case.options:  # an option that changes nothing would be none
        plain = Case(case.model, {}).build(spec).eval()
        assert repr(plain) != repr(model) or not same_tensors(all_tensors(plain), all_tensors(model))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_form_knows_the_parameters(case: Case, spec: DatasetSpec, store: Store) -> None:
    random_state = torch.random.get_rng_state()
    found = estimate(case.configure(spec), store).parameters
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert found == count_parameters(case.build(spec))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_unit_is_taken_apart_and_equals_pytorch(case: Case) -> None:
    spec = SPECS[0]
    model = randomize_norms(case.build(spec)).double()
    image = torch.randn(1, spec.channels, spec.size, spec.size, dtype=torch.float64)
    choose = random.Random(1)
    whole: set[str] = set()
    with capture(model) as maps:
        maps(image)
        for node in maps.nodes.values():
            value = maps[node.name][0]
            tolerance = 1e-11 * (float(value.abs().max()) + 1)
            for _ in range(2):
                unit = tuple(choose.randrange(n) for n in value.shape)
                found = trace_unit(maps, node.name, *unit)
                assert found.step.captured == float(value[unit]), (node.name, unit)
                for step in found.steps:
                    assert abs(step.difference) <= tolerance, (node.name, unit, step)
                    whole |= {step.op} if type(step) is Step else set()
    assert whole <= WHOLE.keys()


@pytest.mark.parametrize("case", PLAIN_AND_OTHER, ids=lambda case: f"{case.model}{' others' if case.options else ''}")
def test_it_learns_resumes_and_is_loaded_bit_for_bit(case: Case, tmp_path: Path) -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(16)), full.test.take(torch.arange(8)))
    config = case.configure(full.spec, epochs=5, batch_size=8, seed=1)
    whole, losses = train(config, data)
    assert sum(losses[-2:]) < sum(losses[:2])
    first, last = whole[0].weights, whole[10].weights
    trained = [name for name, weight in case.build(full.spec).named_parameters() if weight.requires_grad]
    assert [name for name in trained if torch.equal(first[name], last[name])] == []

    folder = save_checkpoint(tmp_path / "at-4", whole[4])
    resumed, later_losses = train(config, data, resume=load_snapshot(folder))
    assert later_losses == losses[4:]
    assert same_tensors(resumed[10].weights, last)
    tensors: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
    assert pack_state(whole[10].state, tensors[0]) == pack_state(resumed[10].state, tensors[1])
    assert same_tensors(*tensors)

    loaded = load_folder(save_checkpoint(tmp_path / "last", resumed[10])).model
    assert same_tensors(loaded.state_dict(), last)
    assert not loaded.training


def train(config: TrainConfig, data: Dataset, **more: Any) -> tuple[dict[int, Snapshot], list[float]]:
    """Snapshots by step, and the loss of each step."""
    kept: dict[int, Snapshot] = {}
    losses: list[float] = []
    for event in fit(config, dataset=data, checkpoint_steps=(0, 4), **more):
        if isinstance(event, CheckpointDue):
            kept[event.step] = copy.deepcopy(event.capture())
        elif isinstance(event, Progress):
            losses += [step.loss for step in event.steps]
    return kept, losses


def all_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, also buffers that are no part of the weights."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def same_tensors(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def randomize_norms(model: nn.Module) -> nn.Module:
    """Statistics, weights and biases of normalizations away from their starting values, where they do nothing."""
    kinds = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, kinds):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return model
