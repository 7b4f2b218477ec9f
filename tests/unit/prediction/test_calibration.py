"""Judging a drawing: torch and information theory as oracles, and a network whose answers are known."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cnn_demo.datasets.load import Dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.strokes import synthesize_outliers
from cnn_demo.models.clip_small import ClipSmall
from cnn_demo.prediction import calibration as confidence
from cnn_demo.prediction.calibration import (
    FALSE_ALARMS,
    Calibration,
    calibrate,
    calibration_path,
    energy,
    evidence,
    fit_temperature,
    fit_weights,
    judge,
    load_calibration,
    scores,
    soften,
)
from cnn_demo.prediction.logits import compute_logits
from cnn_demo.settings.reference import SHIPPED_REF, ModelRef
from tests.made_networks import as_loaded

PLAIN = Calibration(temperature=1, threshold=2, digits=100, false_alarms=0.02)


def logits(*probabilities: float, score: float = 10) -> Tensor:
    """Logits with these probabilities and this energy score."""
    p = torch.tensor(probabilities, dtype=torch.float64)
    return torch.log(p / p.sum()) + score


def test_energy_is_the_log_of_the_sum() -> None:
    rows = torch.randn(5, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(
        energy(rows), torch.tensor([math.log(sum(map(math.exp, r))) for r in rows.tolist()]).double()
    )
    assert torch.isfinite(energy(torch.full((1, 10), 1e4)))


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (logits(0.95, 0.03, 0.02), "sure"),
        (logits(0.5, 0.45, 0.05), "torn"),
        (logits(0.5, 0.3, 0.2), "unsure"),
        (logits(0.99, 0.005, 0.005, score=1.9), "not_a_digit"),
        (logits(0.99, 0.005, 0.005, score=2.1), "sure"),
    ],
)
def test_kinds(row: Tensor, kind: str) -> None:
    verdict = judge(row, PLAIN)
    assert verdict.kind == kind
    assert (verdict.top, verdict.runner_up) == (0, 1)
    assert judge(row[None], PLAIN) == verdict


def test_nothing_drawn_is_empty_whatever_the_network_says() -> None:
    assert judge(logits(0.99, 0.01), PLAIN, empty=True).kind == "empty"


def test_entropy_and_probabilities() -> None:
    even = judge(torch.zeros(8), Calibration(1, -10, 0, 0))
    assert even.entropy_bits == pytest.approx(3)
    assert sum(even.probabilities) == pytest.approx(1)
    certain = judge(torch.tensor([1000.0, 0, 0]), PLAIN)
    assert certain.entropy_bits == 0
    assert certain.kind == "sure"
    half = judge(logits(0.2, 0.8), Calibration(2, 0, 0, 0))
    expected = [math.sqrt(0.2), math.sqrt(0.8)]
    assert half.probabilities == pytest.approx([v / sum(expected) for v in expected])
    assert half.top == 1


def test_the_temperature_that_made_the_labels_is_found() -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(20_000, 5, generator=generator, dtype=torch.float64) * 2
    labels = torch.multinomial(rows.softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(rows, labels) == pytest.approx(1, rel=0.05)
    assert fit_temperature(rows * 3, labels) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("factor", [0.3, 1, 4])
def test_the_temperature_is_the_lowest_point_of_a_dense_grid(factor: float) -> None:
    generator = torch.Generator().manual_seed(5)
    rows = torch.randn(3000, 10, generator=generator, dtype=torch.float64)
    labels = torch.multinomial((2 * rows).softmax(1), 1, generator=generator)[:, 0]
    grid = torch.exp(torch.linspace(math.log(0.05), math.log(20), 6001, dtype=torch.float64))  # steps of 0.1%
    losses = [float(nn.functional.cross_entropy(rows * factor / t, labels)) for t in grid.tolist()]
    assert fit_temperature(rows * factor, labels) == pytest.approx(float(grid[losses.index(min(losses))]), rel=1.5e-3)


def test_a_network_that_is_always_right_gets_the_smallest_temperature() -> None:
    labels = torch.arange(10)
    assert fit_temperature(torch.eye(10), labels) == pytest.approx(0.05, rel=1e-3)


class Sum(nn.Module):
    """Ten logits that are the more apart the more ink there is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(784, 10, generator=torch.Generator().manual_seed(0)) * 0.05)
        self.seen: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(self.training)
        return x.flatten(1) @ self.weight


def _dataset(name: str) -> Dataset:
    spec = get_spec(name)
    generator = torch.Generator().manual_seed(2)
    images = torch.zeros(300, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 6:22, 8:20] = torch.randint(0, 256, (300, 1, 16, 12), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.randint(0, 10, (300,), generator=generator))
    return Dataset(spec, split, Split(images[:0], split.labels[:0]))


@pytest.mark.parametrize("name", ["mnist-mini", "fashion-mnist"])
def test_calibrate(name: str) -> None:
    dataset, model = _dataset(name), Sum()
    model.train()
    found = calibrate(model, dataset, n=200)
    assert model.training
    assert not any(model.seen)
    assert found.digits == 100
    assert found.false_alarms == pytest.approx(FALSE_ALARMS, abs=0.01)
    assert found.temperature > 1  # random answers deserve no trust
    assert found.outliers == 100
    assert 0 <= found.misses <= 1
    assert len(found.weights) == 2 * 10 + 2
    assert found == calibrate(model, dataset, n=200)


def test_evidence_is_logits_order_and_energy() -> None:
    rows = torch.tensor([[1.0, 3.0, 2.0], [0.0, -1.0, 5.0]])
    expected = [[1, 3, 2, 3, 2, 1, math.log(math.e + math.e**3 + math.e**2)]]
    assert evidence(rows)[:1].tolist() == [pytest.approx(expected[0])]
    assert scores(rows, ()).tolist() == energy(rows).tolist()
    weights = (0.5, 0.0, -1.0, 2.0, 0.0, 0.0, 0.25, 7.0)
    by_hand = 0.5 * 1 - 2 + 2 * 3 + 0.25 * expected[0][-1] + 7
    assert float(scores(rows, weights)[0]) == pytest.approx(by_hand)


def test_weights_part_sharp_answers_from_flat_ones() -> None:
    generator = torch.Generator().manual_seed(3)
    flat = torch.randn(400, 10, generator=generator)
    sharp = torch.randn(400, 10, generator=generator)
    sharp[torch.arange(400), torch.randint(0, 10, (400,), generator=generator)] += 12
    weights = fit_weights(sharp[:200], flat[:200])
    assert (scores(sharp[200:], weights) > 0).float().mean() > 0.97
    assert (scores(flat[200:], weights) < 0).float().mean() > 0.97


def test_weights_that_may_not_know_the_class_do_not() -> None:
    generator = torch.Generator().manual_seed(4)
    flat, sharp = torch.randn(300, 10, generator=generator), torch.randn(300, 10, generator=generator)
    sharp[:, 0] += 12  # all of one class: whoever may look at it will
    weights = fit_weights(sharp, flat, by_class=False)
    assert weights[:10] == (0.0,) * 10
    turned = sharp.roll(5, dims=1)
    torch.testing.assert_close(scores(turned, weights), scores(sharp, weights))
    assert not torch.allclose(scores(turned, fit_weights(sharp, flat)), scores(sharp, fit_weights(sharp, flat)))


def test_calibrate_keeps_the_way_that_misses_less(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def note(digits: Tensor, others: Tensor, *, by_class: bool) -> tuple[float, ...]:
        weights = fit_weights(digits, others, by_class=by_class)
        tried.append(weights)
        return weights

    monkeypatch.setattr(confidence, "fit_weights", note)
    dataset, model = _dataset("mnist-mini"), Sum()
    found = calibrate(model, dataset, n=400)
    outliers = compute_logits(model, synthesize_outliers(200, confidence._SEED, "calibration"), dataset.spec)
    digits = compute_logits(model, confidence._choose_samples(dataset, 400).images, dataset.spec)[1::2]
    missed = []
    for weights in tried:
        threshold = torch.quantile(scores(digits, weights), FALSE_ALARMS)
        missed.append(float((scores(outliers, weights) >= threshold).double().mean()))
    assert len(tried) == 2
    assert found.weights == tried[missed.index(min(missed))]
    assert found.misses == pytest.approx(min(missed))


def test_a_score_below_the_threshold_is_no_digit() -> None:
    weights = (0.0,) * 6 + (1.0, -3.0)  # the energy minus 3
    calibration = Calibration(1, 0, 0, 0, weights=weights)
    assert judge(logits(0.94, 0.03, 0.03, score=2.9), calibration).kind == "not_a_digit"
    sure = judge(logits(0.94, 0.03, 0.03, score=3.1), calibration)
    assert sure.kind == "sure"
    assert sure.score == pytest.approx(0.1)


def test_a_calibration_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "confidence.json"
    for calibration in (PLAIN, Calibration(1.5, -0.25, 7, 0.01, 9, 0.5, (0.1, -2.0, 3e-7))):
        calibration.save(path)
        assert Calibration.load(path) == calibration
    path.write_text(json.dumps({"version": 2, **dataclasses.asdict(PLAIN), "temperature": "hot"}))
    with pytest.raises(ValueError, match=r"confidence\.json"):
        Calibration.load(path)
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"confidence\.json"):
        Calibration.load(path)
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="Expecting value"):
        Calibration.load(path)


def test_a_calibration_of_the_first_version_is_read(tmp_path: Path) -> None:
    """As commit 953c0f6 wrote it: no version, and outliers called signs."""
    first = {"temperature": 1.5, "threshold": -0.25, "digits": 7, "false_alarms": 0.01, "signs": 9, "misses": 0.5}
    path = tmp_path / "confidence.json"
    path.write_text(json.dumps({**first, "weights": [0.1, -2.0]}))
    assert Calibration.load(path) == Calibration(1.5, -0.25, 7, 0.01, 9, 0.5, (0.1, -2.0))
    path.write_text(json.dumps({"version": 2, **first, "weights": [0.1, -2.0]}))
    with pytest.raises(ValueError, match="outliers"):
        Calibration.load(path)
    path.write_text(json.dumps({"version": 3, **dataclasses.asdict(PLAIN)}))
    with pytest.raises(ValueError, match="version 3 of the format, expected 1 or 2"):
        Calibration.load(path)


def test_where_a_calibration_is_kept(tmp_path: Path) -> None:
    """A run's in its own folder by step; the shipped one beside the weights, or with the runs where none ships."""
    run = dataclasses.replace(
        as_loaded(Sum()), ref=ModelRef("run", "abc", 60), step=60, folder=tmp_path / "abc", path=tmp_path / "c"
    )
    assert calibration_path(run) == tmp_path / "abc" / "calibration-00000060.json"
    ships = tmp_path / "ships"
    ships.mkdir()
    shipped = dataclasses.replace(run, ref=SHIPPED_REF, step=938, folder=tmp_path, path=ships)
    assert calibration_path(shipped) == tmp_path / "calibration-shipped-938.json"
    PLAIN.save(ships / "calibration.json")
    assert calibration_path(shipped) == ships / "calibration.json"
    assert load_calibration(shipped) == PLAIN
    assert load_calibration(run) is None
    (tmp_path / "abc").mkdir()
    calibration_path(run).write_text("nonsense")
    assert load_calibration(run) is None


def test_a_class_that_was_never_shown_is_not_calibrated_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """``clip-small`` may hold a class out of training: its figure must owe nothing to images of it, here either."""
    used: list[Tensor] = []

    def note(logits: Tensor, labels: Tensor) -> float:
        used.append(labels)
        return 1.0

    monkeypatch.setattr(confidence, "fit_temperature", note)
    dataset = _dataset("mnist-mini")
    for held_out, expected in ((4, {0, 1, 2, 3, 5, 6, 7, 8, 9}), (-1, set(range(10)))):
        torch.manual_seed(0)
        model = ClipSmall(1, 28, 10, dataset.spec.classes, held_out).eval()
        found = calibrate(model, dataset, n=200)
        assert found.digits == 100
        assert len(used[-1]) == 200
        assert set(used[-1][:100].tolist()) == set(used[-1][100:].tolist()) == expected  # images, and synthetic strokes
        loaded = as_loaded(model)
        assert calibration_path(loaded).name.endswith("-without-4.json") == (held_out == 4)


@pytest.mark.parametrize("n", [4, 18, 20, 22, 38, 40, 2000])
def test_there_are_enough_samples_without_a_class(n: int) -> None:
    dataset = _dataset("mnist-mini")
    more = Dataset(
        dataset.spec, Split(dataset.train.images.repeat(4, 1, 1, 1), dataset.train.labels.repeat(4)), dataset.test
    )
    labels = confidence._choose_samples(more, n, 9).labels
    assert len(labels) == n
    assert 9 not in labels


def test_soften_divides_by_the_temperature() -> None:
    rows = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    expected = torch.softmax(rows.double() / 2, dim=1)
    torch.testing.assert_close(soften(rows, Calibration(2, 0, 0, 0)), expected)
