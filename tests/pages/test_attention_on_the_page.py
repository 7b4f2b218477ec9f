"""The attention of the small vision transformer on the Feature maps page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from streamlit.testing.v1 import AppTest

from cnn_demo.datasets.load import load_dataset
from cnn_demo.ui.maps import channel

PAGE = "pages/inspect/feature_maps.py"


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    part = load_dataset("mnist-mini").test.take(torch.arange(100))
    monkeypatch.setattr(channel, "_both_splits", lambda name: part)
    torch.set_num_threads(1)


def test_it_opens(open_page: Callable[..., AppTest]) -> None:
    app = open_page(PAGE, net="untrained:vit-hybrid", sample="4-2")
    assert not app.exception
    assert "The network says" in "\n".join(str(element.value) for element in app.markdown)
