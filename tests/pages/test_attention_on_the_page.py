"""The attention of the small vision transformer on the Feature maps page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.nn import functional as F

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.models.registry import create_model
from cnn_demo.models.vit_hybrid import VitHybrid
from cnn_demo.ui.maps import channel

PAGE = "pages/inspect/feature_maps.py"
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    part = load_dataset("mnist-mini").test.take(torch.arange(100))
    monkeypatch.setattr(channel, "_both_splits", lambda name: part)
    torch.set_num_threads(1)


def texts(app: AppTest) -> str:
    found: list[Any] = [*app.markdown, *app.caption, *app.subheader]
    return "\n".join(str(element.value) for element in found)


def first_weights() -> torch.Tensor:
    """Weights of the first block ``(heads, T, T)`` for the page's image, without the package's tools."""
    torch.manual_seed(0)
    model = create_model("vit-hybrid").eval()
    assert isinstance(model, VitHybrid)
    data = load_dataset("mnist-mini")
    image = normalize(data.test.images[(data.test.labels == 4).nonzero()[2]], data.spec)
    with torch.no_grad():
        x = model.conv2(F.relu(model.bn1(model.conv1(image)))).flatten(2).mT
        x = model.blocks[0].norm1(torch.cat([torch.zeros(1, 1, 64), x], 1) + model.positions)  # type: ignore[operator]
        attention: Any = model.blocks[0].attention
        q, k = (part(x)[0].reshape(50, 4, 16).transpose(0, 1) for part in (attention.query, attention.key))
        return torch.softmax(q @ k.mT / 4, -1)


def test_words_and_table_say_the_weights_of_the_link(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:vit-hybrid", sample="4-2", attention="0,25,2")
    row = first_weights()[2, 25]
    best = int(row.argmax())
    name = "class token" if best == 0 else f"token ({(best - 1) // 7}, {(best - 1) % 7})"
    assert f"**Block 1, head 3, token (3, 3)**: the largest weights go to {name} {float(row[best]):.1%}, " in texts(app)
    table = next(frame.value for frame in app.dataframe if "Weight in %" in frame.value)
    assert table.shape == (8, 8)
    assert table["Column 4"][3] == pytest.approx(100 * float(row[1 + 2 * 7 + 4]), abs=0.006)  # row 2, column 4
    assert table["Column 0"][0] == pytest.approx(100 * float(row[0]), abs=0.006)


def test_another_block_and_the_mean_of_all_heads(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:vit-hybrid", sample="4-2")
    row = first_weights().mean(0)[0]
    assert "**Block 1, mean of all heads, class token**" in texts(app)
    assert f"{float(row.max()):.1%}" in texts(app)
    app.segmented_control(key="maps:attention-block").set_value("2").run()
    assert not app.exception
    assert "**Block 3, mean of all heads, class token**" in texts(app)
    assert app.query_params["attention"] == "2,0,-1"


@pytest.mark.parametrize("link", ["9,999,77", "-4,-1,-9", "a,b,c", "1", "0,²,0"])
def test_a_link_of_another_network(open_page: Open, link: str) -> None:
    app = open_page(PAGE, net="untrained:vit-hybrid", sample="4-2", attention=link)
    assert not app.exception
    assert "the largest weights go to" in texts(app)


def test_a_unit_of_a_token_map_in_chinese(open_page: Open) -> None:
    app = open_page(PAGE, locale="zh-CN", net="untrained:vit-hybrid", unit="blocks.1.attention.matmul:2,63,6,6")
    assert not app.exception


def test_networks_without_attention_have_no_such_section(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn")
    assert "Attention" not in [element.value for element in app.subheader]
