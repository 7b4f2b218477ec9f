"""Beginning from other weights: what is taken over, what begins afresh, and what stays fixed to the last bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.models.registry import MODELS, create_model
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.events import CheckpointDue, Snapshot, Started
from cnn_demo.training.loop import fit
from cnn_demo.training.transfer import drop_head, list_layers

CONFIG = TrainConfig(
    model="resnet-small", options={"width": 4, "depth": 1}, epochs=2, batch_size=32, device="cpu", freeze=3, ema=0.5
)


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    full = load_dataset("mnist-mini")
    cut = lambda split, n: Split(split.images[:n], split.labels[:n])
    return Dataset(full.spec, cut(full.train, 80), cut(full.test, 20))


def kept(due: CheckpointDue) -> Snapshot:
    taken = due.capture()
    return Snapshot(taken.step, taken.epoch, *copy.deepcopy((taken.weights, taken.state, taken.meta)))


def train(config: TrainConfig, data: Dataset, **more: Any) -> list[Snapshot]:
    """The snapshots of a run."""
    return [kept(e) for e in fit(config, dataset=data, **more) if isinstance(e, CheckpointDue)]


def test_layers_are_listed_with_their_normalization() -> None:
    model = create_model("resnet-small", width=4, depth=1)
    names = [[name for name, _ in layer] for layer in list_layers(model)]
    assert names[:3] == [
        ["conv", "norm"],
        ["stage1.0.conv1", "stage1.0.norm1"],
        ["stage1.0.conv2", "stage1.0.norm2"],
    ]
    assert names[-1] == ["fc"]
    assert [layer[0][0] for layer in list_layers(create_model("cnn"))] == ["conv1", "conv2", "fc1", "fc2"]


def test_frozen_layers_keep_weights_and_statistics_to_the_last_bit(tiny: Dataset) -> None:
    first, *_, last = train(CONFIG, tiny)
    frozen = ("conv.", "norm.", "stage1.0.conv", "stage1.0.norm")
    for name, value in first.weights.items():
        assert torch.equal(value, last.weights[name]) == name.startswith(frozen), name
    assert last.weights["norm.running_mean"].abs().sum() == 0, "the statistics of a fresh network"


def test_a_frozen_run_resumes_bit_for_bit(tiny: Dataset) -> None:
    for optimizer in ("adamw", "sgd"):
        snapshots = train(CONFIG.replace(optimizer=optimizer), tiny, checkpoint_steps=(0, 2))
        half = next(snapshot for snapshot in snapshots if snapshot.step == 2)
        again = train(CONFIG.replace(optimizer=optimizer), tiny, resume=half)
        assert again[-1].step == snapshots[-1].step
        for name, value in snapshots[-1].weights.items():
            assert torch.equal(value, again[-1].weights[name]), name


def test_gradients_come_from_the_frozen_statistics(tiny: Dataset) -> None:
    """One plain SGD step, by hand: the frozen normalization uses its running statistics, as in eval mode."""
    options = {"width": 4, "depth": 1, "momentum": 0.0}
    model = create_model("resnet-small", width=4, depth=1)
    start = {name: torch.rand_like(v) + 0.5 if "running" in name else v for name, v in model.state_dict().items()}
    frozen = len(list_layers(model)) - 1
    config = TrainConfig(
        model="resnet-small",
        optimizer="sgd",
        lr=0.1,
        epochs=1,
        batch_size=80,
        device="cpu",
        freeze=frozen,
        options=options,
    )
    first, *_, last = train(config, tiny, initial_weights=start)

    model.load_state_dict(start)
    images = (tiny.train.images.float() / 255 - tiny.spec.mean[0]) / tiny.spec.std[0]
    loss = torch.nn.functional.cross_entropy(model.eval()(images), tiny.train.labels)
    loss.backward()
    weight = model.get_parameter("fc.weight")
    assert weight.grad is not None
    torch.testing.assert_close(last.weights["fc.weight"], (weight - 0.1 * weight.grad).detach(), atol=1e-5, rtol=1e-4)
    assert torch.equal(first.weights["fc.weight"], weight)


def test_parameters_count_frozen_ones_too(tiny: Dataset) -> None:
    started = [next(iter(fit(CONFIG.replace(freeze=n), dataset=tiny))) for n in (0, 3)]
    assert all(isinstance(event, Started) for event in started)
    assert len({event.parameters for event in started if isinstance(event, Started)}) == 1


@pytest.mark.parametrize("freeze", [4, 200])
def test_something_must_be_left_to_learn(tiny: Dataset, freeze: int) -> None:
    with pytest.raises(ConfigError, match=f"freeze = {freeze}: must be at most 3: this network has 4 layers"):
        next(fit(TrainConfig(device="cpu", freeze=freeze), dataset=tiny))


def test_without_the_last_layer_it_begins_as_a_fresh_network_does(tiny: Dataset) -> None:
    config = TrainConfig(device="cpu", epochs=1, batch_size=80, seed=5)
    torch.manual_seed(9)
    other = create_model("cnn", classes=7)
    weights = drop_head(other, "cnn")
    assert other.state_dict().keys() - weights.keys() == {"fc2.weight", "fc2.bias"}
    fresh = train(config, tiny)[0].weights
    begun = train(config, tiny, initial_weights=weights)[0].weights
    for name, value in begun.items():
        assert torch.equal(value, fresh[name] if name.startswith("fc2") else other.state_dict()[name]), name


def test_every_model_can_lose_its_last_layer() -> None:
    for entry in MODELS:
        model = create_model(entry.name)
        dropped = model.state_dict().keys() - drop_head(model, entry.name).keys()
        if entry.facts.get("named_classes"):
            assert not dropped
        else:
            shapes = {model.state_dict()[name].shape[0] for name in dropped}
            assert shapes == {10}, f"{entry.name}: the last layer gives a logit for each class"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"conv1.weight": torch.zeros(32, 3, 3, 3)},
            "the shape 32 × 1 × 3 × 3 at conv1.weight; there it is 32 × 3 × 3",
        ),
        ({"conv9.weight": torch.zeros(1)}, "conv9.weight"),
        ({"conv1.bias": None}, "conv1.bias"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tiny: Dataset, changed: dict[str, torch.Tensor | None], message: str
) -> None:
    weights = {**create_model("cnn").state_dict(), **changed}
    given = {name: value for name, value in weights.items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        next(fit(TrainConfig(device="cpu", init="shipped"), dataset=tiny, initial_weights=given))
    assert caught.value.field == "init"
    assert message in str(caught.value)
