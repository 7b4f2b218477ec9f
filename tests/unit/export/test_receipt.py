"""The receipt: figures against PyTorch and NumPy, and formats that do not hold what they should."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.export import receipt as receipts
from cnn_demo.export.formats import THRESHOLDS, ExportFailed
from cnn_demo.export.onnx_file import export_onnx
from cnn_demo.export.receipt import Receipt, choose_limits, make_receipt
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef

CALLS = (2, 1)


@pytest.fixture
def loaded(store: Store) -> LoadedModel:
    return load_model(ModelRef("untrained", "cnn-tiny"), store)


@pytest.fixture
def test_split() -> Split:
    return load_dataset("mnist-mini").test.take(torch.arange(300))


def test_an_onnx_file_agrees(loaded: LoadedModel, test_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    export_onnx(loaded, path)
    drawing = normalize(test_split.images[:1], loaded.spec)
    shares: list[float] = []
    found = make_receipt(loaded, {"onnx": path}, test_split, drawing=drawing, calls=CALLS, progress=shares.append)
    torch_row, onnx_row = found.rows
    with torch.no_grad():
        logits = loaded.model(normalize(test_split.images, loaded.spec))
    correct = int((logits.argmax(1) == test_split.labels).sum())
    assert torch_row.correct == onnx_row.correct == correct
    assert (onnx_row.agreement, onnx_row.others, onnx_row.holds) == (1.0, (), True)
    assert 0 <= onnx_row.mean <= onnx_row.largest < 1e-4
    assert torch_row.drawing == pytest.approx(logits[0].double().softmax(0).tolist())
    assert onnx_row.drawing == pytest.approx(torch_row.drawing, abs=1e-5)
    assert onnx_row.nbytes == path.stat().st_size
    assert [latency.batch for latency in onnx_row.latencies] == [1, 256]
    assert [latency.n for latency in onnx_row.latencies] == list(CALLS)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert Receipt.from_json(found.to_json()) == found


def test_what_does_not_hold_is_marked(
    loaded: LoadedModel, test_split: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.onnx").write_bytes(b"-")
    real = receipts.open_runner
    labels = torch.zeros_like(test_split.labels)

    def open_wrong(format: str, path: Path | None, *more: object) -> receipts.Runner:
        right = real("pytorch", None, loaded, 1)
        if format == "pytorch":
            return lambda images: right(images) * 0 + np.eye(10, dtype=np.float32)[0]  # always class 0
        return lambda images: right(images) * 0 + np.eye(10, dtype=np.float32)[3]

    monkeypatch.setattr(receipts, "open_runner", open_wrong)
    split = Split(test_split.images, labels)
    found = make_receipt(loaded, {"onnx": tmp_path / "a.onnx", "int8": tmp_path / "a.onnx"}, split, calls=CALLS)
    onnx_row, int8_row = found.rows[1:]
    assert onnx_row.others == tuple(range(100))  # the first hundred of 300
    assert [message.split()[0] for message, _values in onnx_row.misses] == ["It", "A"]
    assert onnx_row.misses[0][1] == {"share": "0.00%", "least": "100.00%", "n": "300"}
    assert [values for _message, values in int8_row.misses] == [{"lost": "100.00", "most": "0.2", "n": "300"}]
    assert not onnx_row.holds
    assert found.rows[0].holds


def test_a_logit_that_is_no_number_does_not_hold() -> None:
    row = receipts.Row("onnx", "a", 1, "", 9, 10, (0.5, 1.0), 1.0, float("nan"), 0.0, (), None, ())
    reference = dataclasses.replace(row, format="pytorch", largest=0.0)
    usual = {setting.name: setting.default for setting in THRESHOLDS}
    assert receipts._find_misses(row, reference, choose_limits(usual)["onnx"])


def test_what_must_hold_can_be_chosen(loaded: LoadedModel, test_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    export_onnx(loaded, path)
    found = make_receipt(loaded, {"onnx": path}, test_split, thresholds={"most_difference": 0.0}, calls=CALLS)
    assert 0 < found.rows[1].largest < 1e-4
    assert [values["most"] for _message, values in found.rows[1].misses] == ["0"]
    assert found.thresholds == {"least_agreement": 100.0, "most_difference": 0.0, "most_lost": 0.2}
    assert Receipt.from_json(found.to_json()) == found
    limits = choose_limits({"least_agreement": 99.0, "most_difference": 0.5, "most_lost": 1.5})
    row = receipts.Row("int8", "a", 1, "", 9850, 10_000, (0.5, 1.0), 0.99, 0.5, 0.0, (), None, ())
    reference = dataclasses.replace(row, format="pytorch", correct=10_000)
    for name in ("onnx", "html", "int8", "tensorrt"):
        assert receipts._find_misses(row, dataclasses.replace(row, format="pytorch"), limits[name]) == ()
    assert receipts._find_misses(dataclasses.replace(row, correct=9849), reference, limits["int8"])
    assert receipts._find_misses(dataclasses.replace(row, agreement=0.989), row, limits["onnx"])
    assert receipts._find_misses(dataclasses.replace(row, largest=0.51), row, limits["html"])


def test_a_loss_at_the_limit_holds() -> None:
    row = receipts.Row("int8", "a", 1, "", 9980, 10_000, (0.5, 1.0), 0.9, 3.0, 0.0, (), None, ())
    reference = dataclasses.replace(row, format="pytorch", correct=10_000)
    assert receipts._find_misses(row, reference, receipts.LIMITS["int8"]) == ()
    assert receipts._find_misses(dataclasses.replace(row, correct=9979), reference, receipts.LIMITS["int8"])


def test_bad_input(loaded: LoadedModel, test_split: Split, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        make_receipt(loaded, {}, test_split.take(torch.arange(0)))
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(ExportFailed, match=r"a\.onnx cannot be run"):
        make_receipt(loaded, {"onnx": tmp_path / "a.onnx"}, test_split, calls=CALLS)
    with pytest.raises(ValueError, match="format 1"):
        Receipt.from_json('{"format": 99}')


def test_without_a_browser_the_html_file_is_not_asked_and_that_is_said(
    loaded: LoadedModel, test_split: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(receipts, "find_browser", lambda: None)
    (tmp_path / "a.html").write_text("-")
    found = make_receipt(loaded, {"html": tmp_path / "a.html"}, test_split, calls=CALLS)
    assert [row.format for row in found.rows] == ["pytorch"]
    [(message, values)] = found.notes
    assert "no Chromium" in message
    assert values == {"variable": "CNN_DEMO_BROWSER"}
    assert Receipt.from_json(found.to_json()) == found
    older = json.loads(found.to_json())
    del older["notes"]  # a receipt of before there were notes
    assert Receipt.from_json(json.dumps(older)).rows == found.rows


def test_a_slow_format_is_timed_less_often(
    loaded: LoadedModel, test_split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "time_call", lambda runner, images: 2.0)
    found = make_receipt(loaded, {}, test_split, calls=(100, 2))
    assert [(latency.n, latency.median) for latency in found.rows[0].latencies] == [(3, 2.0), (2, 2.0)]
