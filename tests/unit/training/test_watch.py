"""Watching a network in training: what is seen, and that nothing else comes of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models.registry import create_model
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import CheckpointDue, Event, Finished, Progress, Started, Watched
from cnn_demo.training.loop import fit
from cnn_demo.training.trainer import Trainer
from cnn_demo.training.watch import MOST_KERNELS, Watcher, find_first_kernels


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    """300 training digits: three batches of 128, the last of 44."""
    full = load_dataset("mnist-mini")
    return Dataset(full.spec, full.train.take(torch.arange(300)), full.test.take(torch.arange(100)))


@pytest.fixture
def always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is reported, and every report looks, whatever it costs."""
    monkeypatch.setattr("cnn_demo.training.loop.REPORT_SECONDS", 0.0)
    monkeypatch.setattr(Watcher, "due", True)


def pictures(data: Dataset) -> torch.Tensor:
    return normalize(data.test.images[:7], data.spec)


def train(config: TrainConfig, data: Dataset, watched: torch.Tensor | None) -> tuple[list[Event], dict]:
    events, last = [], {}
    for event in fit(config, dataset=data, watched=watched):
        events.append(event)
        if isinstance(event, CheckpointDue):
            found = event.capture()
            last = {name: value.clone() for name, value in found.weights.items()}
            last |= {f"step {event.step}": torch.tensor(event.step)}
    return events, last


# Batch normalization has running statistics, dropout draws from the global generator, the running mean is a second
# model, frozen layers are held in eval mode while the others train, and a transformer has no plain layers.
@pytest.mark.usefixtures("always_looking")
@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(model="cnn"),
        TrainConfig(model="cnn-bn"),
        TrainConfig(model="cnn-bn", freeze=2),
        TrainConfig(model="cnn-bn", ema=0.9),
        TrainConfig(model="cnn-tiny", augment="random"),
        TrainConfig(model="clip-small"),
        TrainConfig(model="vit-hybrid"),
    ],
    ids=lambda config: f"{config.model} {config.augment} {config.ema} {config.freeze}",
)
def test_weights_are_bit_for_bit_the_same_whoever_watches(config: TrainConfig, tiny: Dataset) -> None:
    config = config.replace(device="cpu", epochs=2, seed=5)
    _, alone = train(config, tiny, None)
    events, seen = train(config, tiny, pictures(tiny))
    assert sum(isinstance(event, Watched) for event in events) == 7, "before training and after each of 6 steps"
    assert alone.keys() == seen.keys()
    assert all(torch.equal(alone[name], seen[name]) for name in alone)


@pytest.mark.usefixtures("always_looking")
def test_what_is_seen_is_what_the_weights_of_that_step_say(tiny: Dataset) -> None:
    config = TrainConfig(model="cnn-bn", device="cpu", epochs=1, seed=1)
    inputs = pictures(tiny)
    checked = 0
    seen: Watched | None = None
    for event in fit(config, dataset=tiny, watched=inputs, checkpoint_steps=(0, 1, 2)):
        if isinstance(event, Watched):
            seen = event
        elif isinstance(event, CheckpointDue) and seen is not None:
            fresh = create_model("cnn-bn")
            fresh.load_state_dict({name: value.clone() for name, value in event.capture().weights.items()})
            with torch.no_grad():
                expected = torch.softmax(fresh.eval()(inputs), dim=1)
            first = next(layer for layer in fresh.modules() if isinstance(layer, nn.Conv2d))
            assert seen.step == event.step
            torch.testing.assert_close(seen.probabilities, expected)
            assert torch.equal(seen.kernels, first.weight[:MOST_KERNELS])
            checked += 1
    assert checked == 4, "before training, after steps 1 and 2, and at the end of the epoch"


def test_it_looks_before_training_and_at_the_end_however_long_a_look_takes(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watcher, "due", False)
    events, _ = train(TrainConfig(device="cpu", epochs=2), tiny, pictures(tiny))
    kinds = [type(event) for event in events]
    assert [event.step for event in events if isinstance(event, Watched)] == [0, 6]
    assert kinds[:2] == [Started, Watched]
    assert kinds[-2:] == [Watched, Finished]


@pytest.mark.usefixtures("always_looking")
def test_a_look_comes_before_the_report_of_its_step(tiny: Dataset) -> None:
    events, _ = train(TrainConfig(device="cpu", epochs=1), tiny, pictures(tiny))
    for place, event in enumerate(events):
        if isinstance(event, Progress):
            before = events[place - 1]
            assert isinstance(before, Watched)
            assert before.step == event.steps[-1].step


def test_a_look_waits_until_it_is_a_hundredth_of_the_time(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.5, 20.0, 20.05, 25.04, 25.06, 30.0, 30.0001, 30.19, 30.21])
    watcher = Watcher(Trainer(TrainConfig(device="cpu"), tiny), pictures(tiny))
    assert watcher.due, "nobody has looked yet"
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    watcher.look(1, 0.1)  # half a second: it also sets PyTorch up
    watcher.look(2, 0.2)  # 50 ms: the next one not before 5 s have gone
    assert not watcher.due
    assert watcher.due
    watcher.look(3, 0.3)  # 0.1 ms: but at most five a second
    assert not watcher.due
    assert watcher.due


def test_every_layer_is_left_in_the_mode_in_which_it_was(tiny: Dataset) -> None:
    trainer = Trainer(TrainConfig(model="cnn-bn", device="cpu"), tiny)
    layers = list(trainer.model.modules())
    layers[2].training = False  # as a frozen layer is
    modes = [layer.training for layer in layers]
    Watcher(trainer, pictures(tiny)).look(0, 0.0)
    assert [layer.training for layer in layers] == modes
    assert sorted(set(modes)) == [False, True]


def test_kernels_are_those_of_the_convolution_that_reads_the_image() -> None:
    conv = nn.Conv2d(3, 4, 5)
    assert find_first_kernels(nn.Sequential(conv, nn.ReLU(), nn.Conv2d(4, 8, 3)), 3) is conv.weight
    assert find_first_kernels(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), 1) is None
    assert find_first_kernels(nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(8, 4, 3)), 1) is None
