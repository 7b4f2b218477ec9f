"""The live strip: what the Train page shows of a run, and how a drawing gets into it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from streamlit.testing.v1 import AppTest

import cnn_demo.prediction.predictor  # noqa: F401 (loaded before the page asks: no waiting for a timer of the browser)
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.runs.strip import MOST_DRAWINGS, UNKNOWN, StripWriter, WatchedPicture, keep_pictures, load_drawings
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import Watched
from tests.pages.reading import words

TRAIN, DRAW = "pages/train/train.py", "pages/draw/draw.py"


def watch(store: Store, run: Run, steps: tuple[int, ...]) -> None:
    """What a worker would have written of two pictures."""
    folder = store.folder(run.id)
    image = np.zeros((28, 28, 1), np.uint8)
    keep_pictures(folder, [WatchedPicture(image, UNKNOWN, drawn=True), WatchedPicture(image, 3, drawn=False)])
    writer = StripWriter(folder, run.total_steps)
    for step in steps:
        writer.add(Watched(step, step / 20, torch.full((2, 10), 0.1), torch.ones(4, 1, 3, 3)))


def strips(app: AppTest) -> list[dict[str, Any]]:
    """The headers of the strips that are sent to the browser."""
    found = []
    for component in app.get("bidi_component"):
        if component.proto.component_name.endswith("cnn_lab_strip"):
            data = component.proto.bytes
            (size,) = struct.unpack_from("<I", data)
            found.append(json.loads(data[4 : 4 + size]))
    return found


def test_a_run_that_has_ended_shows_every_moment_and_one_that_trains_the_newest(
    open_page: Callable, store: Store, make_run: Callable[..., Run]
) -> None:
    run = make_run("finished")
    watch(store, run, (0, 20, 60))
    app = open_page(TRAIN, run=run.id)
    (shown,) = strips(app)
    assert shown["steps"] == [0, 20, 60]
    assert shown["classes"] == [str(digit) for digit in range(10)]
    assert "What it reads" in words(app)

    active = make_run("running")
    watch(store, active, (0, 20, 60))
    (shown,) = strips(open_page(TRAIN, "zh-CN", run=active.id))
    assert shown["steps"] == [60]


def test_nothing_untrue_is_said_where_a_run_is_fine_tuned_on_drawings(
    open_page: Callable, store: Store, make_run: Callable[..., Run]
) -> None:
    said = []
    for collection in ("", "abcdefgh23456789"):
        run = make_run("finished", config=TrainConfig(epochs=3, collection=collection))
        watch(store, run, (0, 60))
        said.append("never learns from" in words(open_page(TRAIN, run=run.id)))
    assert said == [True, False]


def test_a_run_from_before_there_were_strips_shows_none(open_page: Callable, make_run: Callable[..., Run]) -> None:
    app = open_page(TRAIN, run=make_run("finished").id)
    assert strips(app) == []
    assert "What it reads" not in words(app)


def test_a_digit_is_watched_by_the_runs_that_are_started_after_it_was_pinned(open_page: Callable, store: Store) -> None:
    app = open_page(DRAW, **{"from": "sample", "sample": "3-7"})
    pin = lambda: app.button(key="draw:watch")
    assert pin().label == "Watch while training"
    pin().click().run()
    assert pin().label == "Watched while training"
    app.switch_page(TRAIN).run()
    next(button for button in app.button if (button.key or "").startswith("launch:")).click().run()
    (run,) = store.list()
    (drawing,) = load_drawings(store.folder(run.id))
    assert drawing.shape == (28, 28)
    assert drawing.any()

    app.switch_page(DRAW).run()
    pin().click().run()
    assert pin().label == "Watch while training"


def pin_eight() -> None:
    import numpy as np

    from cnn_demo.ui.shared import watched

    for value in (1, 2, 3, 4, 5, 6, 7, 8, 5):
        watched.pin_drawing(np.full((4, 4), value, np.uint8))
    watched.unpin_drawing(np.full((4, 4), 7, np.uint8))


def test_the_newest_drawing_comes_first_and_the_oldest_make_way() -> None:
    app = AppTest.from_function(pin_eight).run()
    assert not app.exception
    assert [int(drawing[0, 0]) for drawing in app.session_state["watched:pinned"]] == [5, 8, 6, 4, 3]
    assert MOST_DRAWINGS == 6
