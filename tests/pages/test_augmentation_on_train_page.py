"""The Train page shows what an augmentation does to the images, and warns where it spoils them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.runs.store import Store

TRAIN = "pages/train/train.py"


def pictures(app: AppTest) -> str:
    """The HTML of the preview; "" where there is none."""
    return "".join(block.proto.body for block in app.get("html") if "train-preview" in block.proto.body)


def choose(app: AppTest, augment: str) -> None:
    app.selectbox(key="train:augment").select(augment).run()
    assert not app.exception


def test_sixteen_images_with_their_targets_appear_and_can_be_others(open_page: Callable) -> None:
    app = open_page(TRAIN)
    assert pictures(app) == ""
    choose(app, "random")
    first = pictures(app)
    assert first.count("<img") == first.count("alt=") == 16
    assert "%" not in first.partition("</style>")[2]
    app.number_input(key="train:mixup").set_value(1.0).run()
    assert "target: " in pictures(app)
    assert "%" in pictures(app).partition("</style>")[2]
    before = pictures(app)
    app.button(key="train:preview:next").click().run()
    assert pictures(app) != before
    assert not app.warning


def test_strengths_are_launched_as_they_stand(open_page: Callable, store: Store) -> None:
    app = open_page(TRAIN)
    choose(app, "random")
    app.number_input(key="train:rotation").set_value(25.0)
    app.number_input(key="train:cutmix").set_value(1.0)
    app.run()
    next(button for button in app.button if (button.key or "").startswith("launch:")).click().run()
    assert not app.exception
    (run,) = store.list()
    assert (run.config.option("rotation"), run.config.option("cutmix"), run.config.option("shear")) == (25, 1, 0)


def test_a_spoiled_target_and_empty_pictures_are_said(open_page: Callable) -> None:
    app = open_page(TRAIN)
    choose(app, "random")
    app.number_input(key="train:rotation").set_value(180.0).run()
    assert ["a 6 becomes a 9" in warning.value for warning in app.warning] == [True]
    app.number_input(key="train:rotation").set_value(10.0)
    app.number_input(key="train:translation").set_value(32.0)
    app.run()
    assert "leave the frame" in app.warning[0].value
    assert "of 256 pictures come out empty" in app.warning[1].value


def test_a_data_set_that_is_not_here_is_said_and_handwriting_is_shown_too(
    open_page: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path))
    app = open_page(TRAIN)
    choose(app, "handwriting")
    assert pictures(app).count("<img") == 16
    assert any("by pens" in caption.value for caption in app.caption)
    app.selectbox(key="train:dataset").select("kmnist").run()
    assert pictures(app) == ""
    assert any("once the data set is on this machine" in caption.value for caption in app.caption)
