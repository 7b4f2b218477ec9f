"""fit(): against a loop written out by hand, and against itself interrupted."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting import samples
from cnn_demo.handwriting.strokes import synthesize_outliers
from cnn_demo.models.registry import MODELS, create_model
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.control import Control
from cnn_demo.training.errors import TrainingDiverged
from cnn_demo.training.events import (
    CheckpointDue,
    EpochEnd,
    Finished,
    LrChanged,
    Paused,
    Progress,
    Resumed,
    Snapshot,
    Started,
)
from cnn_demo.training.loop import find_changes_ahead, fit
from cnn_demo.training.optimizers import OPTIMIZERS
from cnn_demo.training.snapshot import load_snapshot, save_checkpoint
from cnn_demo.training.state import pack_state
from tests.odd_optimizer import OddOptimizer


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    """300 training and 120 test digits: three batches of 128, the last of 44."""
    full = load_dataset("mnist-mini")
    cut = lambda split, n: Split(split.images[:n], split.labels[:n])
    return Dataset(full.spec, cut(full.train, 300), cut(full.test, 120))


CONFIG = TrainConfig(epochs=2, device="cpu", seed=3)


def frozen(snapshot: Snapshot) -> Snapshot:
    """A copy that later steps cannot change."""
    return Snapshot(snapshot.step, snapshot.epoch, *copy.deepcopy((snapshot.weights, snapshot.state, snapshot.meta)))


def val_loss(end: EpochEnd) -> float:
    assert end.val is not None
    return end.val.loss


def train(config: TrainConfig, data: Dataset, **options: Any) -> tuple[list, dict[int, Snapshot]]:
    events, snapshots = [], {}
    for event in fit(config, dataset=data, **options):
        events.append(event)
        if isinstance(event, CheckpointDue):
            snapshots[event.step] = frozen(event.capture())
    return events, snapshots


def assert_same_weights(a: Snapshot, b: Snapshot) -> None:
    assert a.weights.keys() == b.weights.keys()
    for name in a.weights:
        assert torch.equal(a.weights[name], b.weights[name]), name
    tensors_a: dict[str, torch.Tensor] = {}
    tensors_b: dict[str, torch.Tensor] = {}
    assert pack_state(a.state, tensors_a) == pack_state(b.state, tensors_b)
    for name in tensors_a:
        assert torch.equal(tensors_a[name], tensors_b[name]), name


@pytest.mark.parametrize(("schedule", "decay"), [("constant", 0.0), ("cosine", 1.0)])
def test_agrees_with_a_loop_written_out(tiny: Dataset, schedule: str, decay: float) -> None:
    config = CONFIG.replace(schedule=schedule, weight_decay=decay)
    events, snapshots = train(config, tiny)

    torch.manual_seed(3)
    model = create_model("cnn")
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=False, foreach=False)
    images = (tiny.train.images.float() / 255 - 0.1307) / 0.3081
    step, losses = 0, []
    for epoch in range(2):
        order = torch.randperm(300, generator=torch.Generator().manual_seed(3 * 1_000_003 + 2 * epoch + 1))
        for batch in order.split(128):
            if schedule == "cosine":
                adam.param_groups[0]["lr"] = 1e-3 * (1 + math.cos(math.pi * step / 6)) / 2
            torch.manual_seed(3 * 1_000_003 + 2 * step)
            loss = F.cross_entropy(model(images[batch]), tiny.train.labels[batch])
            adam.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in filter(lambda p: p.ndim > 1, model.parameters()):  # biases do not decay
                    parameter.mul_(1 - adam.param_groups[0]["lr"] * decay)
            adam.step()
            step += 1
            losses.append(loss.item())

    told = [m.loss for event in events if isinstance(event, Progress) for m in event.steps]
    assert told == pytest.approx(losses, rel=2e-4)
    for name, value in model.state_dict().items():
        # Adam divides by the root of tiny second moments, which magnifies rounding; six steps of 1e-3 move a weight
        # by up to 6e-3.
        torch.testing.assert_close(snapshots[6].weights[name].contiguous(), value, rtol=2e-3, atol=2e-4)


def test_a_running_mean_is_what_is_kept_and_evaluated(tiny: Dataset) -> None:
    every = tuple(range(7))
    _, plain = train(CONFIG, tiny, checkpoint_steps=every)
    events, averaged = train(CONFIG.replace(ema=0.3), tiny, checkpoint_steps=every)
    mean = {name: value.double() for name, value in plain[0].weights.items()}
    for step in every[1:]:
        keep = min(0.3, (1 + step) / (10 + step))
        mean = {name: keep * mean[name] + (1 - keep) * value for name, value in plain[step].weights.items()}
    for name, value in mean.items():
        # The optimizer goes its way as if nobody took a mean.
        assert torch.equal(averaged[6].state["raw_weights"][name], plain[6].weights[name])
        torch.testing.assert_close(averaged[6].weights[name].double(), value, rtol=1e-5, atol=1e-7)
    model = create_model("cnn").eval()
    model.load_state_dict(averaged[6].weights)
    with torch.no_grad():
        logits = model((tiny.test.images.float() / 255 - 0.1307) / 0.3081)
    (last,) = [e for e in events if isinstance(e, EpochEnd) and e.epoch == 2]
    assert last.test.loss == pytest.approx(F.cross_entropy(logits, tiny.test.labels).item(), rel=1e-4)


def test_epoch_means_are_over_samples(tiny: Dataset) -> None:
    events, _ = train(CONFIG, tiny)
    steps = [m for event in events if isinstance(event, Progress) for m in event.steps]
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert [m.n for m in steps[:3]] == [128, 128, 44]
    for i, end in enumerate(ends):
        mine = steps[3 * i : 3 * i + 3]
        assert end.train.n == 300
        assert end.train.loss == pytest.approx(sum(m.loss * m.n for m in mine) / 300)
        assert end.train.accuracy == pytest.approx(sum(m.accuracy * m.n for m in mine) / 300)
    # The mean of batch means is another number: the test would notice.
    assert abs(ends[0].train.loss - sum(m.loss for m in steps[:3]) / 3) > 1e-3


def test_events_tell_the_whole_story(tiny: Dataset) -> None:
    events, snapshots = train(CONFIG, tiny, checkpoint_steps=(0, 1, 4))
    assert isinstance(events[0], Started)
    assert (events[0].total_steps, events[0].steps_per_epoch, events[0].parameters) == (6, 3, 1_630_090)
    assert sorted(snapshots) == [0, 1, 3, 4, 6]
    assert [e.epoch for e in events if isinstance(e, EpochEnd)] == [1, 2]
    assert [m.step for e in events if isinstance(e, Progress) for m in e.steps] == [1, 2, 3, 4, 5, 6]
    assert [m.epoch for e in events if isinstance(e, Progress) for m in e.steps] == pytest.approx(
        [i / 3 for i in range(1, 7)]
    )
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.step, last.epoch) == ("finished", 6, 2.0)


def test_same_seed_same_bits_other_seed_other_weights(tiny: Dataset) -> None:
    _, first = train(CONFIG, tiny)
    torch.rand(7)  # somebody else's random numbers make no difference
    _, second = train(CONFIG, tiny)
    _, third = train(CONFIG.replace(seed=4), tiny)
    assert_same_weights(first[6], second[6])
    assert not torch.equal(first[6].weights["conv1.weight"], third[6].weights["conv1.weight"])


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("step", [0, 1, 3, 4])
def test_resumed_anywhere_ends_the_same(tiny: Dataset, step: int, ema: float) -> None:
    config = CONFIG.replace(schedule="cosine", val_fraction=0.1, ema=ema)
    steps = (0, 1, 3, 4)
    events, whole = train(config, tiny, checkpoint_steps=steps)
    torch.manual_seed(99)
    again_events, again = train(config, tiny, resume=whole[step], checkpoint_steps=steps)
    assert_same_weights(whole[6], again[6])
    ends = {e.epoch: e for e in events if isinstance(e, EpochEnd)}
    for e in again_events:
        if isinstance(e, EpochEnd):  # also the epoch that was cut in two reports its true mean
            assert e.train.loss == pytest.approx(ends[e.epoch].train.loss, rel=1e-12)
            assert (e.test.loss, val_loss(e), e.best) == (
                ends[e.epoch].test.loss,
                val_loss(ends[e.epoch]),
                ends[e.epoch].best,
            )


class SetLr(Control):
    """Asks for a learning rate after a step; ``start`` is the step at which the loop goes on."""

    def __init__(self, step: int, lr: float, start: int = 0) -> None:
        super().__init__()
        self.calls_left, self.rate = step - start + 1, lr

    def refresh(self) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            self.set_lr(self.rate)


def rates(events: list) -> list[float]:
    return [m.lr for e in events if isinstance(e, Progress) for m in e.steps]


def test_lr_change_is_announced_and_repeated_after_a_resume(tiny: Dataset) -> None:
    events, whole = train(CONFIG, tiny, control=SetLr(4, 1e-4), checkpoint_steps=(3,))
    changes = [e for e in events if isinstance(e, LrChanged)]
    assert [(c.step, c.lr) for c in changes] == [(4, 1e-4)]
    assert rates(events) == [1e-3] * 4 + [1e-4] * 2
    _, plain = train(CONFIG, tiny)
    assert not torch.equal(plain[6].weights["fc2.bias"], whole[6].weights["fc2.bias"])
    again_events, again = train(CONFIG, tiny, resume=whole[3], lr_plan=[(4, 1e-4)])
    assert_same_weights(whole[6], again[6])
    assert not any(isinstance(e, LrChanged) for e in again_events)


@pytest.mark.parametrize("rate", [1e-4, 1e-3])  # also the rate that there is: whoever asks for it means it to stay
def test_an_lr_set_after_a_resume_stays_whatever_was_set_later_before(tiny: Dataset, rate: float) -> None:
    _, first = train(CONFIG, tiny, control=SetLr(5, 0.5), checkpoint_steps=(2,))
    control = SetLr(4, rate, start=2)
    events, second = train(CONFIG, tiny, resume=first[2], lr_plan=[(5, 0.5)], control=control, checkpoint_steps=(5,))
    assert rates(events) == [1e-3, 1e-3, rate, rate]
    assert [(e.step, e.lr) for e in events if isinstance(e, LrChanged)] == [(4, rate)]
    # A third life: both changes are known, in the order in which they were made.
    events, third = train(CONFIG, tiny, resume=first[2], lr_plan=[(5, 0.5), (4, rate)])
    assert rates(events) == [1e-3, 1e-3, rate, rate]
    assert_same_weights(third[6], second[6])


def test_changes_ahead_are_those_that_still_hold() -> None:
    plan = [(6, 0.02), (12, 0.003), (8, 0.01), (20, 0.5)]  # the run was resumed before step 8
    assert find_changes_ahead(plan, 0) == {6: 0.02, 8: 0.01, 20: 0.5}
    assert find_changes_ahead(plan, 9) == {20: 0.5}
    assert find_changes_ahead(plan, 20) == {20: 0.5}
    assert find_changes_ahead([], 3) == {}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "odd"])
def test_every_optimizer_goes_on_from_the_files_of_a_checkpoint(tiny: Dataset, tmp_path: Path, optimizer: str) -> None:
    config = CONFIG.replace(optimizer=optimizer, lr=1e-2)
    _, whole = train(config, tiny, checkpoint_steps=(4,))
    stored = load_snapshot(save_checkpoint(tmp_path / "checkpoints", whole[4]))
    _, again = train(config, tiny, resume=stored)
    assert_same_weights(whole[6], again[6])
    events, _ = train(config, tiny, resume=load_snapshot(tmp_path / "checkpoints/step-00000004", with_state=False))
    assert events[-1].step == 6, "weights alone are enough to go on, with fresh moments"


def test_pause_waits_and_stop_keeps_a_checkpoint(tiny: Dataset) -> None:
    class Script(Control):
        calls = 0

        def refresh(self) -> None:
            self.calls += 1
            if self.calls == 3:
                self.pause()
            if self.calls == 6:
                self.resume()
            if self.calls == 8:
                self.stop()

    events, snapshots = train(CONFIG, tiny, control=Script(), checkpoint_steps=())
    kinds = [type(e) for e in events]
    paused, resumed = kinds.index(Paused), kinds.index(Resumed)
    assert resumed == paused + 1
    assert events[paused].step == 2
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    assert events[-1].step in snapshots
    assert 2 < events[-1].step < 6
    _, whole = train(CONFIG, tiny)
    _, rest = train(CONFIG, tiny, resume=snapshots[events[-1].step])
    assert_same_weights(whole[6], rest[6])


def test_early_stop_looks_at_validation_only(tiny: Dataset) -> None:
    config = TrainConfig(epochs=30, lr=0.02, val_fraction=0.2, patience=2, device="cpu")
    events, _ = train(config, tiny)
    ends = [e for e in events if isinstance(e, EpochEnd)]
    assert events[-1].reason == "early"
    losses = [val_loss(e) for e in ends]
    best = losses.index(min(losses))
    assert len(ends) - 1 - best == 2
    assert [e.best for e in ends] == [loss == min(losses[: i + 1]) for i, loss in enumerate(losses)]
    assert ends[0].val is not None
    assert ends[0].val.n == 60
    assert ends[0].train.n == 240


def test_out_of_patience_it_trains_no_further_when_it_is_resumed(tiny: Dataset) -> None:
    config = TrainConfig(epochs=30, lr=0.02, val_fraction=0.2, patience=2, device="cpu")
    events, snapshots = train(config, tiny)
    assert events[-1].reason == "early"
    last = snapshots[events[-1].step]  # killed after its last checkpoint, before it could say that it is finished
    resumed, _ = train(config, tiny, resume=last)
    assert [type(e) for e in resumed] == [Started, Finished]
    assert (resumed[-1].reason, resumed[-1].step) == ("early", last.step)


def test_a_snapshot_knows_the_best_epoch(tiny: Dataset) -> None:
    config = TrainConfig(epochs=4, lr=0.02, val_fraction=0.2, device="cpu")
    events, snapshots = train(config, tiny)
    for end in (e for e in events if isinstance(e, EpochEnd)):
        so_far = [e for e in events if isinstance(e, EpochEnd) and e.epoch <= end.epoch]
        best = min(so_far, key=val_loss)
        meta = snapshots[end.step].meta
        assert (meta["best_val"], meta["best_epoch"], meta["best_step"]) == (val_loss(best), best.epoch, best.step)
    again, _ = train(config, tiny, resume=snapshots[4])
    assert [e.best for e in again if isinstance(e, EpochEnd)] == [e.best for e in events if isinstance(e, EpochEnd)][2:]


def test_without_validation_nothing_is_best(tiny: Dataset) -> None:
    events, snapshots = train(CONFIG, tiny)
    assert (snapshots[6].meta["best_val"], snapshots[6].meta["best_epoch"]) == (None, 0)
    assert all(e.val is None and not e.best for e in events if isinstance(e, EpochEnd))


def test_a_loss_that_is_no_number_in_evaluation_is_a_divergence(tiny: Dataset) -> None:
    with pytest.raises(TrainingDiverged) as caught:
        train(CONFIG.replace(model="nan"), tiny)
    assert (caught.value.step, caught.value.lr) == (3, 1e-3)


def test_divergence_names_step_and_rate(tiny: Dataset) -> None:
    with pytest.raises(TrainingDiverged) as caught:
        train(TrainConfig(epochs=50, lr=10.0, batch_size=32, device="cpu", model="blow-up"), tiny)
    assert caught.value.lr == 10.0
    assert 1 <= caught.value.step <= 500


class BlowUp(torch.nn.Module):
    """Grows without bound."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(classes, size * size * channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) @ self.scale.T).exp().exp()


class NotANumber(torch.nn.Sequential):
    """Trains like any other, and gives NaN when it is evaluated."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(channels * size * size, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * (1.0 if self.training else float("nan"))


@pytest.fixture(scope="module", autouse=True)
def _entries() -> Iterator[None]:
    """Parts that misbehave on purpose, for this module only."""
    MODELS.add("blow-up", "Blow up", BlowUp)
    MODELS.add("nan", "Not a number", NotANumber)
    OPTIMIZERS.add("odd", "Odd", OddOptimizer)
    yield
    MODELS.remove("blow-up")
    MODELS.remove("nan")
    OPTIMIZERS.remove("odd")


def test_device_and_precision_are_checked(tiny: Dataset) -> None:
    with pytest.raises(ConfigError, match="device = 'cuda:7'"):
        train(CONFIG.replace(device="cuda:7"), tiny)
    with pytest.raises(ConfigError, match="precision = 'fp16'"):
        train(CONFIG.replace(precision="fp16"), tiny)


def test_bf16_learns(tiny: Dataset) -> None:
    events, snapshots = train(CONFIG.replace(precision="bf16", epochs=3), tiny)
    losses = [m.loss for e in events if isinstance(e, Progress) for m in e.steps]
    assert losses[-1] < losses[0]
    assert snapshots[9].weights["conv1.weight"].dtype == torch.float32


def test_a_run_on_handwriting_learns_that_not_all_is_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("mnist-mini")
    few = Dataset(data.spec, data.train.take(torch.arange(1500)), data.test.take(torch.arange(50)))
    config = TrainConfig(device="cpu", epochs=3, augment="handwriting", lr=2e-3, compile="off")
    images = normalize(synthesize_outliers(200, 3, "calibration"), data.spec)
    sure = {}
    for share in (0.0, 0.3):
        monkeypatch.setattr(samples, "OUTLIERS", share)
        events, snapshots = train(config, few)
        assert 0.3 < next(e for e in reversed(events) if isinstance(e, EpochEnd)).train.accuracy <= 1
        model = create_model("cnn").eval()
        model.load_state_dict(snapshots[max(snapshots)].weights)
        with torch.inference_mode():
            sure[share] = float(model(images).softmax(1).max(1).values.mean())
    assert sure[0.3] < sure[0.0] - 0.1
