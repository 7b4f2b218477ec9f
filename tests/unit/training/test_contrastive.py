"""The contrastive objective against the cross-entropies that it is made of, and a run that holds a class out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import NO_CLASS
from cnn_demo.models.clip_small import Similarities
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.classification import Classification
from cnn_demo.training.contrastive import Contrastive
from cnn_demo.training.events import CheckpointDue, EpochEnd, Started
from cnn_demo.training.loop import fit
from cnn_demo.training.snapshot import load_snapshot, save_checkpoint

ALL = torch.arange(10)


@pytest.fixture
def objective() -> Contrastive:
    return Contrastive(get_spec("mnist-mini"), "cpu")


def similarities(n: int, k: int = 10, w: int = 3) -> torch.Tensor:
    return (torch.randn(n, k, w, generator=torch.Generator().manual_seed(0)) * 3).requires_grad_()


def test_one_image_a_class_and_one_wording_is_the_loss_of_clip(objective: Contrastive) -> None:
    values = similarities(10, w=1)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    loss, correct = objective(Similarities(values, ALL), objective.make_targets(order))
    square = values[:, :, 0]  # images by captions
    reference = (F.cross_entropy(square, order) + F.cross_entropy(square.T, order.argsort())) / 2
    torch.testing.assert_close(loss, reference)
    torch.testing.assert_close(torch.autograd.grad(loss, values)[0], torch.autograd.grad(reference, values)[0])
    assert int(correct) == int((square.argmax(1) == order).sum())


def test_several_images_of_a_class_and_several_wordings_are_all_right(objective: Contrastive) -> None:
    values, labels = similarities(24).detach(), torch.arange(24) % 4 + 2
    loss, correct = objective(Similarities(values, ALL), objective.make_targets(labels))
    by_hand = 0.0
    for i, label in enumerate(labels.tolist()):  # an image: its three captions alike
        p = values[i].flatten().softmax(0).view(10, 3)[label]
        by_hand += float((torch.full((3,), 1 / 3) * (1 / 3 / p).log()).sum()) / 24 / 2
    for label in range(2, 6):  # a caption that has images: its six images alike
        for word in range(3):
            p = values[:, label, word].softmax(0)[labels == label]
            by_hand += float((torch.full((6,), 1 / 6) * (1 / 6 / p).log()).sum()) / 12 / 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)
    assert int(correct) == int((values.mean(2).argmax(1) == labels).sum())


def test_mixed_images_aim_at_the_captions_of_both_and_count_for_each_by_their_share(objective: Contrastive) -> None:
    values = similarities(12, w=2)
    first, second = torch.arange(12) % 3, (torch.arange(12) // 3) % 4 + 3
    targets = 0.75 * objective.make_targets(first) + 0.25 * objective.make_targets(second)  # MixUp
    loss, correct = objective(Similarities(values, ALL), targets)
    flat = values.flatten(1)  # (12, 20)
    wanted = torch.repeat_interleave(targets, 2, dim=1) / 2
    there = wanted.sum(0) > 0
    to_captions = F.kl_div(flat.log_softmax(1), wanted, reduction="batchmean")
    share = (wanted / wanted.sum(0)).T[there]  # (captions, 12)
    to_images = F.kl_div(flat.T[there].log_softmax(1), share, reduction="batchmean")
    torch.testing.assert_close(loss, (to_captions + to_images) / 2)
    assert int(correct) == int((values.mean(2).argmax(1) == first).sum())


def test_what_label_smoothing_gives_to_all_classes_makes_no_image_of_a_caption(objective: Contrastive) -> None:
    values, labels = similarities(6, w=1), torch.arange(6) % 3
    smooth, plain = (a * objective.make_targets(labels) + (1 - a) / 10 for a in (0.9, 1.0))
    square = values[:, :, 0]
    there = [0, 1, 2]
    share = F.one_hot(labels, 10).float().T[there] / 2
    to_images = F.kl_div(square.T[there].log_softmax(1), share, reduction="batchmean")
    for targets in (smooth, plain):
        loss, _ = objective(Similarities(values, ALL), targets)
        to_captions = F.kl_div(square.log_softmax(1), targets, reduction="batchmean")
        torch.testing.assert_close(loss, (to_captions + to_images) / 2)


def test_nothing_is_lost_where_all_that_belongs_together_is_alike_and_far_from_the_rest(objective: Contrastive) -> None:
    labels = torch.tensor([1, 1, 4, 8, 8, 8])
    values = torch.where(F.one_hot(labels, 10)[:, :, None] > 0, 60.0, -60.0).expand(-1, -1, 3)
    loss, correct = objective(Similarities(values, ALL), objective.make_targets(labels))
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert int(correct) == 6


def test_a_held_out_class_has_no_column_and_samples_of_no_class_aim_at_all_captions(objective: Contrastive) -> None:
    kept = torch.tensor([0, 1, 2, 3, 4, 5, 6, 8, 9])
    labels = torch.tensor([8, 9, NO_CLASS])
    values = similarities(3, k=9)
    loss, _ = objective(Similarities(values, kept), objective.make_targets(labels))
    flat = values.flatten(1)
    to_captions = F.cross_entropy(flat[2:], torch.full((1, 27), 1 / 27)) - torch.tensor(27.0).log()
    for row, place in ((0, 7), (1, 8)):
        to_captions = to_captions + F.cross_entropy(
            flat[row : row + 1].view(1, 9, 3).logsumexp(2), torch.tensor([place])
        )
        inside = flat[row].view(9, 3)[place].log_softmax(0)
        to_captions = to_captions + (-inside.mean() - torch.tensor(3.0).log())
    to_images = sum(
        F.cross_entropy(values[:, place, word][None], torch.tensor([row]))
        for row, place in ((0, 7), (1, 8))
        for word in range(3)
    )
    torch.testing.assert_close(loss, (to_captions / 3 + to_images / 6) / 2)


def test_logits_are_judged_as_in_classification(objective: Contrastive) -> None:
    x, targets = similarities(20)[:, :, 0], objective.make_targets(torch.arange(20) % 10)
    plain = Classification(get_spec("mnist-mini"), "cpu")(x, targets)
    assert all(torch.equal(a, b) for a, b in zip(objective(x, targets), plain, strict=True))


def small() -> Dataset:
    full = load_dataset("mnist-mini")
    return Dataset(full.spec, full.train.take(torch.arange(300)), full.test.take(torch.arange(0, 2000, 40)))


def test_a_held_out_class_is_in_no_step_but_among_the_test_images() -> None:
    config = TrainConfig(model="clip-small", epochs=1, device="cpu", options={"held_out": 3}, val_fraction=0.2)
    data = small()
    events = list(fit(config, dataset=data))
    started = next(event for event in events if isinstance(event, Started))
    end = next(event for event in events if isinstance(event, EpochEnd))
    of_it = int((data.train.labels == 3).sum())
    assert of_it > 0
    assert end.val is not None
    assert started.train_n + end.val.n == 300 - of_it
    assert end.test.n == 50


def test_a_class_that_is_not_there_cannot_be_held_out() -> None:
    config = TrainConfig(model="clip-small", epochs=1, device="cpu", options={"held_out": 12})
    with pytest.raises(ConfigError, match="-1 for none, or a class of mnist-mini from 0 to 9"):
        next(iter(fit(config, dataset=small())))


def test_it_learns_and_a_resumed_run_ends_with_the_same_bits(tmp_path: object) -> None:
    config = TrainConfig(model="clip-small", epochs=3, device="cpu", batch_size=64, ema=0.9)
    ends, snapshots = [], []
    for event in fit(config, dataset=small(), checkpoint_steps=(7,)):
        if isinstance(event, EpochEnd):
            ends.append(event)
        elif isinstance(event, CheckpointDue):
            snapshots.append(load_snapshot(save_checkpoint(tmp_path / "kept", event.capture())))  # type: ignore[operator]
    assert ends[-1].train.loss < ends[0].train.loss
    assert ends[-1].test.loss < ends[0].test.loss
    again = list(fit(config, dataset=small(), resume=next(s for s in snapshots if s.step == 7)))
    last = next(event for event in reversed(again) if isinstance(event, CheckpointDue)).capture()
    assert last.weights.keys() == snapshots[-1].weights.keys()
    assert all(torch.equal(last.weights[name], snapshots[-1].weights[name]) for name in last.weights)
