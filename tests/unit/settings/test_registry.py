"""The README's two examples, run as they are written there, and seen everywhere an entry must appear."""

from __future__ import annotations

import argparse
import copy
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from cnn_demo.cli import build_parser
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models import registry as models
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.description import Real, Setting, Whole
from cnn_demo.settings.flags import read_flags
from cnn_demo.settings.registry import Registry, UnknownName
from cnn_demo.settings.summary import list_differences, list_told
from cnn_demo.training import optimizers
from cnn_demo.training.events import CheckpointDue, EpochEnd, Snapshot
from cnn_demo.training.loop import fit

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def _added() -> Iterator[None]:
    """What the README tells a reader to write."""
    text = (ROOT / "README.md").read_text("utf-8")
    snippets = dict(re.findall(r"```python\n# (cnn_demo/\S+)\n(.*?)```", text, flags=re.DOTALL))
    module = types.ModuleType("cnn_demo.models.tiny")
    exec(snippets["cnn_demo/models/tiny.py"], module.__dict__)
    sys.modules[module.__name__] = module
    names = {"Setting": Setting, "Whole": Whole, "Real": Real}
    exec(snippets["cnn_demo/models/registry.py"], {**vars(models), **names})
    exec(snippets["cnn_demo/training/optimizers.py"], {**vars(optimizers), **names})
    yield
    models.MODELS.remove("tiny")
    optimizers.OPTIMIZERS.remove("rmsprop")
    del sys.modules[module.__name__]


@pytest.mark.usefixtures("_added")
def test_an_entry_is_checked_summarized_and_compared() -> None:
    config = TrainConfig(model="tiny", optimizer="rmsprop", options={"width": 8, "alpha": 0.9})
    assert (config.option("width"), config.option("alpha")) == (8, 0.9)
    assert {setting.name for setting, _ in list_told(config)} >= {"width", "alpha", "model", "optimizer"}
    assert {d.setting.name for d in list_differences(config, TrainConfig())} >= {"model", "optimizer", "width", "alpha"}
    with pytest.raises(ConfigError, match=r"alpha = 2: must be a number from 0 to 0\.9999"):
        TrainConfig(optimizer="rmsprop", options={"alpha": 2})
    with pytest.raises(ConfigError, match=r"alpha = 0\.9"):  # Adam has no such setting
        TrainConfig(options={"alpha": 0.9})
    assert TrainConfig.from_dict(config.to_dict()) == config


@pytest.mark.usefixtures("_added")
def test_an_entry_is_on_the_command_line() -> None:
    args: argparse.Namespace = build_parser().parse_args(
        ["train", "--model", "tiny", "--width", "8", "--optimizer", "rmsprop", "--alpha", "0.9"]
    )
    assert read_flags(args) == TrainConfig(model="tiny", optimizer="rmsprop", options={"width": 8, "alpha": 0.9})


@pytest.mark.usefixtures("_added")
def test_an_entry_is_in_the_form_and_launches_with_its_options() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.run()
    app.switch_page("pages/train/train.py").run()
    app.selectbox(key="train:model").select("tiny").run()
    app.selectbox(key="train:optimizer").select("rmsprop").run()
    assert app.number_input(key="train:alpha").label == "Smoothing"
    app.number_input(key="train:width").set_value(8).run()
    from cnn_demo.ui.train import form

    assert not app.exception
    assert form.session_key("width") in app.session_state
    assert app.session_state["train:width"] == 8


@pytest.mark.usefixtures("_added")
def test_an_entry_trains_and_resumes() -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(200)), full.test.take(torch.arange(50)))
    config = TrainConfig(
        model="tiny", optimizer="rmsprop", options={"width": 8, "alpha": 0.9}, epochs=2, batch_size=64, device="cpu"
    )

    def run(resume: Snapshot | None = None) -> tuple[list[Snapshot], float]:
        kept, accuracy = [], 0.0
        for event in fit(config, dataset=data, resume=resume):
            if isinstance(event, CheckpointDue):
                kept.append(copy.deepcopy(event.capture()))
            elif isinstance(event, EpochEnd):
                accuracy = event.test.accuracy
        return kept, accuracy

    whole, accuracy = run()
    middle = next(s for s in whole if s.step == 4)
    again, accuracy_again = run(middle)
    assert accuracy == accuracy_again
    for name, value in whole[-1].weights.items():
        assert torch.equal(value, again[-1].weights[name]), name


def test_names_are_given_once_and_unknown_ones_are_explained() -> None:
    table = Registry("thing")
    table.add("one", "One", "math:sqrt")
    assert table.get("one").load()(9) == 3
    with pytest.raises(ValueError, match="thing 'one' is registered twice"):
        table.add("one", "Another", "math:sqrt")
    with pytest.raises(UnknownName, match="no thing named 'two'; there are: one"):
        table.get("two")
    assert "one" in table
    assert table.names == ("one",)
