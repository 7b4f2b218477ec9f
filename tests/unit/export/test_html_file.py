"""The HTML file as text: whole, closed in itself, in two languages, and refused where it cannot be."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.export.formats import MOST_HTML_BYTES, ExportFailed
from cnn_demo.export.html_file import write_html
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import read_shipped
from tests.unit.export.test_plain_steps import Odd


@pytest.fixture
def shipped(store: Store) -> LoadedModel:
    return load_model(ModelRef.parse("shipped"), store)


def read_taken(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="network">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_the_file_holds_the_network_the_calibration_and_both_languages(shipped: LoadedModel, tmp_path: Path) -> None:
    path, calibration = tmp_path / "net.html", load_calibration(shipped)
    assert calibration is not None
    write_html(shipped, calibration, path)
    page = path.read_text(encoding="utf-8")
    assert len(page.encode()) <= MOST_HTML_BYTES
    assert "{{" not in page.replace("${{", "")  # every place is filled
    taken = read_taken(page)
    state = shipped.model.state_dict()
    for tensor in taken["network"]["tensors"]:
        values = np.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])
        assert any(w.shape == values.shape and np.array_equal(w.numpy(), values) for w in state.values())
    assert taken["calibration"]["temperature"] == calibration.temperature
    assert tuple(taken["calibration"]["weights"]) == calibration.weights
    english, chinese = taken["words"]["en"], taken["words"]["zh"]
    assert english.keys() == chinese.keys()
    assert [name for name in english if english[name] == chinese[name]] == []
    assert "1,630,090" in english["about"][0]
    right = read_shipped()["test"]["accuracy"]
    assert english["about"][1] == f"{right:.2%} of 10,000 test images of mnist are answered rightly."
    write_html(shipped, calibration, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_nothing_is_fetched_from_anywhere(shipped: LoadedModel, tmp_path: Path) -> None:
    write_html(shipped, None, tmp_path / "net.html")
    page = (tmp_path / "net.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=|href=|import\(|fetch\(", page)
    assert "default-src 'none'" in page
    taken = read_taken(page)
    assert taken["calibration"] is None
    assert any("not calibrated" in line for line in taken["words"]["en"]["about"])


def test_a_network_that_learnt_nothing_says_so(store: Store, tmp_path: Path) -> None:
    untrained = load_model(ModelRef.parse("untrained:cnn-tiny"), store)
    write_html(untrained, None, tmp_path / "net.html")
    taken = read_taken((tmp_path / "net.html").read_text(encoding="utf-8"))
    assert "learnt nothing" in taken["words"]["en"]["about"][0]


def test_a_large_network_is_refused_with_its_size(store: Store, tmp_path: Path) -> None:
    large = load_model(ModelRef.parse("untrained:resnet18"), store)
    with pytest.raises(ExportFailed, match=r"59\.\d MB; at most 15 MB"):
        write_html(large, None, tmp_path / "net.html")
    assert not (tmp_path / "net.html").exists()


def test_an_unknown_operator_is_named(shipped: LoadedModel, tmp_path: Path) -> None:
    torch.manual_seed(0)
    odd = dataclasses.replace(shipped, model=Odd("cumsum").eval())
    with pytest.raises(ExportFailed, match="operator cumsum"):
        write_html(odd, None, tmp_path / "net.html")
