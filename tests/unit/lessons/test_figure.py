"""Pictures for slides: every lesson in both languages, with its numbers and without boxes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.lessons.contents import CHAPTERS, load_lesson
from cnn_demo.lessons.controls import read_values
from cnn_demo.lessons.figure import draw_scene
from cnn_demo.lessons.lesson import Subject
from cnn_demo.lessons.panels import Bar, Bars, Grid, Scene
from cnn_demo.lessons.words import say
from cnn_demo.locales import load_catalog
from cnn_demo.plots.figures import figure_bytes
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import SHIPPED_REF


@pytest.mark.parametrize("code", ["en", "zh_CN"])
@pytest.mark.parametrize("name", [chapter.name for chapter in CHAPTERS])
def test_every_lesson_becomes_a_picture(name: str, code: str, tmp_path: Path) -> None:
    lesson = load_lesson(name)
    subject = Subject(
        image=load_dataset("mnist-mini", download=False).test.images[0],
        network=load_model(SHIPPED_REF, Store(tmp_path)),
    )
    scene = lesson.show(subject, read_values(lesson.controls, {})[0])
    translate = load_catalog(code).gettext
    picture = figure_bytes(draw_scene(translate(lesson.name), scene.rows, translate), "svg")
    assert picture.startswith(b"<?xml")


def test_numbers_and_bars_are_those_of_the_panels() -> None:
    scene = Scene(
        rows=[
            [
                Grid(name="g", title=say("A $1"), values=torch.tensor([[1.5, -2.25]]).numpy(), numbers=True),
                Bars(name="b", title=say("B"), bars=[Bar(say("one"), 3.0), Bar(say("two"), 7.0)]),
            ]
        ]
    )
    figure = draw_scene("Title", scene.rows, str)
    grid, bars = (axes for part in figure.subfigs for axes in part.axes)
    assert [text.get_text() for text in grid.texts] == ["1.5", "−2.25"]
    first, second = (patch.get_window_extent().width for patch in bars.patches)
    assert second / first == pytest.approx(7 / 3, rel=1e-3)
    assert [text.get_text().strip() for text in bars.texts] == ["3", "7"]
