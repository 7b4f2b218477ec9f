"""Every architecture of the table opens on Draw and on Feature maps, and the form knows its options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from cnn_demo.datasets.load import load_dataset
from cnn_demo.inspect import steps
from cnn_demo.models.registry import MODELS, create_model
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.ui.components import explorer
from cnn_demo.ui.draw import calibrations
from cnn_demo.ui.maps import channel
from tests.made_networks import put_checkpoint
from tests.pages.reading import words
from tests.pages.test_draw_page import cards, digit, draw, expected, said

Open = Callable[..., AppTest]
DRAW, MAPS, TRAIN = "pages/draw/draw.py", "pages/inspect/feature_maps.py", "pages/train/train.py"


@pytest.fixture(autouse=True)
def _small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty images instead of ten thousand, and no calibration; both have tests of their own."""
    part = load_dataset("mnist-mini").test.take(torch.arange(40))
    monkeypatch.setattr(channel, "_both_splits", lambda name: part)
    monkeypatch.setattr(calibrations, "get_calibration", lambda *_: None)
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", MODELS.names)
def test_feature_maps_take_units_of_every_kind_apart(
    name: str, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces: list[dict[str, Any] | None] = []
    monkeypatch.setattr(explorer, "show_arithmetic", lambda trace, *_: traces.append(trace))
    app = open_page(MAPS, net=f"untrained:{name}", sample="4-2")
    assert "What a channel has learnt" in words(app)
    assert "The network says" in words(app)
    layers = app.dataframe[0].value
    last_of_kind = {row["Kind"]: row for row in layers.to_dict("records") if row["Output"].count("×") in (0, 2)}
    assert {"Convolution", "Linear layer", "Activation"} <= last_of_kind.keys()
    for row in last_of_kind.values():
        app.query_params["unit"] = f"{row['Layer']},1,0,0" if row["Kind"] != "Input" else "input,0,9,9"
        app.run()
        assert not app.exception, (row, app.exception)
        trace = traces[-1]
        assert trace is not None
        assert trace["layer"] == row["Layer"]
        assert max(abs(step["difference"]) for step in trace["steps"]) < 1e-3


def test_the_browser_can_say_every_step() -> None:
    script = Path(explorer.__file__).with_name("arithmetic.js").read_text("utf-8")
    named = [name for name, found in inspect.getmembers(steps, inspect.isclass) if issubclass(found, steps.Step)]
    assert [name for name in named if not re.search(rf"^  {name}\(", script, re.MULTILINE)] == []


@pytest.mark.parametrize("name", MODELS.names)
def test_draw_gives_the_answer_of_the_model(
    name: str, open_page: Open, store: Store, make_run: Callable[..., Run]
) -> None:
    run = make_run("finished", name="Mine", config=TrainConfig(model=name, device="cpu"))
    model = put_checkpoint(store, run, seed=1)
    app = draw(open_page(DRAW, net=run.id), digit(17))
    (card,) = cards(app)
    top, share = expected(model, digit(17))
    big, figures = said(card)
    assert big in (top, "?")
    assert f"{share:.1%}" in figures or share > 0.999


def test_another_model_brings_its_own_defaults_and_the_form_counts_its_parameters(open_page: Open) -> None:
    app = open_page(TRAIN)
    assert app.selectbox(key="train:activation").value == "relu"
    assert "**1,630,090** parameters" in words(app)
    app.selectbox(key="train:activation").select("gelu").run()
    app.number_input(key="train:width").set_value(16).run()
    half = sum(p.numel() for p in create_model("cnn", width=16).parameters())
    assert f"**{half:,}** parameters" in words(app)
    app.selectbox(key="train:model").select("lenet5").run()
    assert app.selectbox(key="train:activation").value == "tanh"
    assert "**61,706** parameters" in words(app)
    app.selectbox(key="train:model").select("resnet-small").run()
    assert app.number_input(key="train:width").value == 16
    app.checkbox(key="train:skip").uncheck().run()
    plain = sum(p.numel() for p in create_model("resnet-small", skip=False).parameters())
    assert f"**{plain:,}** parameters" in words(app)
    app.selectbox(key="train:model").select("cnn").run()
    assert (app.selectbox(key="train:activation").value, app.number_input(key="train:width").value) == ("relu", 32)
    assert not app.exception


def test_too_many_blocks_are_explained_in_the_form(open_page: Open) -> None:
    app = open_page(TRAIN)
    app.number_input(key="train:depth").set_value(6).run()
    assert "at most 4 for images of 28 × 28 pixels" in words(app)
    assert next(button for button in app.button if button.label == "Start training").disabled
