"""The Start page below its three steps: what is trained and what is here, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cnn_demo.prediction.shipped import ShippedTest
from cnn_demo.runs.records import Run
from cnn_demo.ui.shared import machine
from cnn_demo.ui.start import overview
from tests.pages.reading import words

START = "pages/start/start.py"


@pytest.mark.parametrize(("locale", "expected"), [("en-US", "What is trained"), ("zh-CN", "已训练的模型")])
def test_empty_store(open_page: Callable, locale: str, expected: str) -> None:
    app = open_page(START, locale)
    assert app.title[0].value == "CNN Lab"
    assert expected in [element.value for element in app.subheader]


@pytest.mark.parametrize(("locale", "unit"), [("en-US", "of 2,000 test images"), ("zh-CN", "2,000 张测试图像")])
def test_runs_come_with_data_set_and_n(
    open_page: Callable, make_run: Callable[..., Run], locale: str, unit: str
) -> None:
    make_run("finished", name="My *first* | run")
    make_run("failed", epochs=0, error="boom", error_kind="error")
    app = open_page(START, locale)
    text = words(app)
    assert "mnist-mini" in text
    assert unit in text
    links = [link.proto.label for link in app.get("page_link")]
    assert any("My \\*first\\* \\| run" in label for label in links)


def test_machine_is_shown_once_it_is_known(open_page: Callable) -> None:
    machine.probe().answer = machine.ask()
    text = words(open_page(START))
    assert "Test processor" in text
    assert "2.14.1" in text


def test_machine_that_cannot_be_asked_says_why(open_page: Callable) -> None:
    machine.probe().answer = machine.Machine(problem="ImportError: no torch")
    assert "ImportError: no torch" in words(open_page(START))


def test_the_model_that_ships_has_data_set_and_n(
    open_page: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(overview, "read_shipped_test", lambda: ShippedTest("mnist", 0.9951, 10_000))
    text = words(open_page(START))
    assert "99.51% of 10,000 test images" in text


def test_language_choice_beats_the_browser_and_stays_in_the_link(open_page: Callable) -> None:
    app = open_page(START, "en-US", lang="zh")
    assert "本机" in [element.value for element in app.subheader]
    app.query_params.clear()  # as the browser does on a change of page
    app.switch_page("pages/train/train.py").run()
    assert app.title[0].value == "训练"
    assert app.query_params["lang"] in ("zh_CN", ["zh_CN"])


def test_unknown_language_falls_back_to_the_browser(open_page: Callable) -> None:
    assert open_page(START, "zh-CN", lang="tlh").subheader[0].value == "已训练的模型"
