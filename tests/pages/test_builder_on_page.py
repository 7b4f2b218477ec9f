"""The builder on the Train page, without a browser: start from a model, write the layers as text, launch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.models.layer_list import DEFAULT_TEXT
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.pages.reading import words

TRAIN = "pages/train/train.py"


def open_builder(open_page: Callable, locale: str = "en-US") -> AppTest:
    app: AppTest = open_page(TRAIN, locale)
    app.selectbox(key="train:model").select("builder").run()
    assert not app.exception
    return app


def launch_disabled(app: AppTest) -> bool:
    return next(b for b in app.button if (b.key or "").startswith("launch:")).disabled


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_what_is_put_together_is_launched(open_page: Callable, store: Store, locale: str) -> None:
    app = open_builder(open_page, locale)
    assert app.text_input(key="train:layers").value == DEFAULT_TEXT
    app.text_input(key="train:layers").set_value("v1; conv channels=8 stride=2; relu").run()
    said = words(app)
    assert "nn.Conv2d(1, 8, kernel_size=3, stride=2, padding=1)),  # -> 8 × 14 × 14" in said
    assert f"{80 + 1568 * 10 + 10:,}" in said  # parameters, at the button
    next(b for b in app.button if (b.key or "").startswith("launch:")).click().run()
    assert not app.exception
    (run,) = store.list()
    assert run.config == TrainConfig(model="builder", options={"layers": "v1; conv channels=8 stride=2; relu"})


def test_it_starts_from_a_model_and_a_change_of_model_keeps_the_layers(open_page: Callable) -> None:
    app = open_builder(open_page)
    app.menu_button(key="train:layers-from").click("lenet5").run()
    text = app.text_input(key="train:layers").value
    assert text is not None
    assert text.startswith("v1; conv channels=6 kernel=5; tanh")
    assert "61,706" in words(app)
    app.selectbox(key="train:model").select("cnn").run()
    app.selectbox(key="train:model").select("builder").run()
    assert app.text_input(key="train:layers").value == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v1; conv kernel=29 padding=0", "a window that fits"),
        ("conv", "begins with its version"),
        ("v1; x", "one of conv"),
    ],
)
def test_what_cannot_work_is_said_and_not_launched(open_page: Callable, text: str, said: str) -> None:
    app = open_builder(open_page)
    app.text_input(key="train:layers").set_value(text).run()
    assert not app.exception
    assert any(said in error.value for error in app.error)
    assert launch_disabled(app)
    app.menu_button(key="train:layers-from").click("builder").run()
    assert not launch_disabled(app)


def test_another_data_set_is_worked_out_anew(open_page: Callable) -> None:
    app = open_builder(open_page)
    app.text_input(key="train:layers").set_value("v1; conv kernel=31 padding=1").run()
    assert launch_disabled(app)
    app.selectbox(key="train:dataset").select("cifar10").run()
    assert not launch_disabled(app)
    assert "nn.Conv2d(3, 32, kernel_size=31, padding=1)" in words(app)
