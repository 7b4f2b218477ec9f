"""Captions on the Draw page: the visitor's own words for what she drew, in both languages."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.prediction.captions import compare_captions, count_found_by_captions
from cnn_demo.prediction.wording import percent
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.ui.draw import calibrations
from tests.made_networks import as_loaded, put_checkpoint
from tests.pages.reading import words

DRAW = "pages/draw/draw.py"
FIELD = "draw:captions:digits"
Visit = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _no_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "get_calibration", lambda *_: None)
    importlib.import_module("cnn_demo.prediction.predictor")  # the page says that it loads it, where nobody has
    torch.set_num_threads(1)


@pytest.fixture
def network(store: Store, make_run: Callable[..., Run]) -> tuple[Run, Any]:
    run = make_run("finished", name="Reader", config=TrainConfig(model="clip-small", options={"held_out": 7}))
    return run, put_checkpoint(store, run, seed=1)


def look(open_page: Visit, run: Run, locale: str = "en-US") -> AppTest:
    return open_page(DRAW, locale, net=run.id, **{"from": "sample"}, sample="3-2", look="captions")


def rows(app: AppTest) -> list[tuple[str, str, str]]:
    """Caption, cosine and probability of each row of the table."""
    body = next(
        (h.proto.body for h in app.get("html") if "draw-captions" in h.proto.body and "<table" in h.proto.body), ""
    )
    found = re.findall(r'<th scope="row">(.*?)</th>.*?</td><td>(.*?)</td><td>(.*?)</td></tr>', body)
    return [tuple(html.unescape(part) for part in row) for row in found]  # type: ignore[misc]


def write(app: AppTest, text: str) -> AppTest:
    app.text_area(key=FIELD).set_value(text).run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize(
    ("locale", "first", "last"),
    [("en-US", "a handwritten zero", "a handwritten nine"), ("zh-CN", "手写的零", "手写的九")],
)
def test_one_caption_for_each_class_stands_there_at_first(
    open_page: Visit, network: tuple[Run, Any], locale: str, first: str, last: str
) -> None:
    shown = rows(look(open_page, network[0], locale))
    assert [shown[0][0], shown[-1][0], len(shown)] == [first, last, 10]


def test_ones_own_words_are_compared_with_the_sample(open_page: Visit, network: tuple[Run, Any]) -> None:
    captions = ["a <b>three</b>", "手写的三", "a cat"]
    app = write(look(open_page, network[0]), "\n\n".join(captions))
    test = load_dataset("mnist-mini").test
    sample = test.images[test.labels == 3][2].numpy()
    loaded = as_loaded(network[1])
    expected = compare_captions(loaded, loaded.normalize(sample), captions)
    assert rows(app) == [(s.caption, f"{s.cosine:.2f}", percent(s.probability)) for s in expected]
    best = max(expected, key=lambda s: s.probability)
    assert percent(best.probability) in next(
        m.value for m in app.markdown if m.value.startswith("Best of your captions")
    )
    assert "Now there are 3." in words(app)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Write at least one caption"),
        (" \n \n", "Write at least one caption"),
        ("fine\n" + "x" * 10_000, r"has 10,000 bytes; at most 64 are read"),
        ("a\n" * 101, "These are 101 captions; at most 100"),
    ],
)
def test_captions_that_cannot_be_read_are_answered_with_a_word(
    open_page: Visit, network: tuple[Run, Any], text: str, said: str
) -> None:
    app = write(look(open_page, network[0]), text)
    (warning,) = app.warning
    assert said in warning.value
    assert len(warning.value) < 300
    assert rows(app) == []


def test_ones_words_are_measured_as_a_classifier(open_page: Visit, network: tuple[Run, Any]) -> None:
    captions = [f"my {name}" for name in get_spec("mnist-mini").classes]
    app = write(look(open_page, network[0]), "\n".join(captions))
    app.button(key="draw:captions-go").click().run()
    found = count_found_by_captions(as_loaded(network[1]), load_dataset("mnist-mini").test, captions)
    said = next(m.value for m in app.markdown if m.value.startswith("By these captions"))
    assert f"**{found / 2000:.2%}** of the 2,000 test images" in said
    app = write(app, "\n".join(captions[::-1]))  # other captions have not been measured
    assert not [m for m in app.markdown if m.value.startswith("By these captions")]


def test_the_held_out_class_has_an_honest_figure(open_page: Visit, network: tuple[Run, Any]) -> None:
    app = look(open_page, network[0])
    test = load_dataset("mnist-mini").test
    loaded = as_loaded(network[1])
    sevens = test.images[test.labels == 7]
    found = sum(int(loaded.model(loaded.normalize(image.numpy())).argmax(1)) == 7 for image in sevens)
    assert f"Its captions find **{found}** of {len(sevens)} test images of it" in words(app)


def test_networks_without_a_text_encoder_have_no_captions(
    open_page: Visit, store: Store, make_run: Callable[..., Run]
) -> None:
    run = make_run("finished", config=TrainConfig(device="cpu"))
    put_checkpoint(store, run)
    app = look(open_page, run)
    assert rows(app) == []
    assert [area.label for area in app.text_area] == []


def test_an_empty_pad_invites(open_page: Visit, network: tuple[Run, Any]) -> None:
    app = open_page(DRAW, net=network[0].id, look="captions")
    assert rows(app) == []
    assert "see how well each caption fits" in words(app)
