"""All lessons: at random settings, in both languages, with any network; and what each of them must have."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.lessons.contents import CHAPTERS, load_lesson
from cnn_demo.lessons.controls import draw_random_values, read_values, write_values
from cnn_demo.lessons.lesson import Subject
from cnn_demo.lessons.packing import pack_rows
from cnn_demo.lessons.panels import Curves, Graph, Grid, Scene, Window
from cnn_demo.lessons.questions import start_stream
from cnn_demo.locales import load_catalog
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef

NAMES = [chapter.name for chapter in CHAPTERS]
NETWORKS = ("shipped", "untrained:lenet5", "untrained:vit-hybrid", "untrained:resnet-small", "untrained:cnn-bn")
_MOST_WORDS = 120


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("lessons"))


def make_subject(store: Store, ref: str, number: int) -> Subject:
    image = load_dataset("mnist-mini", download=False).test.images[number]
    return Subject(image=image, network=load_model(ModelRef.parse(ref), store))


def check_scene(scene: Scene) -> None:
    panels = {panel.name: panel for panel in scene.panels}
    assert len(panels) == len(scene.panels), "two panels of one name"
    for panel in scene.panels:
        if isinstance(panel, Grid):
            assert panel.values.ndim == 2 or panel.values.shape[0] == 3
            assert np.isfinite(panel.values).all(), panel.name
        elif isinstance(panel, Window):
            grids = [panels[name] for name in (panel.source, panel.output, panel.kernel) if name]
            assert all(isinstance(grid, Grid) for grid in grids)
            check_window(panel, panels)  # type: ignore[arg-type]
        elif isinstance(panel, Curves):
            assert all(len(line.x) == len(line.y) for line in panel.lines)
        elif isinstance(panel, Graph):
            assert {end for edge in panel.edges for end in edge[:2]} <= {node.name for node in panel.nodes}


def check_window(window: Window, grids: dict[str, Grid]) -> None:
    """Terms, running values and result of every place, recomputed from the grids that stand beside them."""
    source, output = grids[window.source].values, grids[window.output].values
    kh, kw = window.size
    for place in range(0, output.size, max(1, output.size // 7)):
        row, column = divmod(place, output.shape[1])
        top, left = row * window.stride[0], column * window.stride[1]
        patch = source[
            top : top + (kh - 1) * window.dilation[0] + 1 : window.dilation[0],
            left : left + (kw - 1) * window.dilation[1] + 1 : window.dilation[1],
        ]
        terms = patch * grids[window.kernel].values if window.kernel else patch
        assert window.terms[place] == pytest.approx(terms.flatten(), abs=1e-5)
        folded = {"sum": np.add, "max": np.maximum, "mean": np.add}[window.rule].accumulate(window.terms[place])
        if window.rule == "mean":
            folded = folded / np.arange(1, kh * kw + 1)
        assert window.running[place] == pytest.approx(folded, abs=1e-4)
        assert output[row, column] == pytest.approx(window.running[place][-1] + (window.bias or 0), abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(12))
def test_a_lesson_stands_at_random_settings(name: str, seed: int, store: Store) -> None:
    lesson, stream = load_lesson(name), random.Random(f"{name}{seed}")
    values = draw_random_values(lesson.controls, stream)
    subject = make_subject(store, NETWORKS[seed % len(NETWORKS)], seed)
    before = [parameter.clone() for parameter in subject.network.model.parameters()]
    state = torch.random.get_rng_state()
    scene = lesson.show(subject, values)
    check_scene(scene)
    assert all(torch.equal(a, b) for a, b in zip(before, subject.network.model.parameters(), strict=True)), "changed"
    assert torch.equal(torch.random.get_rng_state(), state), "global random numbers were drawn"
    answer = lesson.guess.find_answer(scene)
    assert answer == "" or answer in lesson.guess.options
    for code in ("en", "zh_CN"):
        translate = load_catalog(code).gettext
        assert pack_rows([*scene.rows, *scene.reveal], translate, {"id": ""})
        translate(lesson.guess.surprise).format(**scene.facts)
    texts = write_values(lesson.controls, values)
    again, wrong = read_values(lesson.controls, texts)
    assert wrong == []
    shown = {c.name: values[c.name] for c in lesson.controls if c.is_shown(values)}
    assert {name: again[name] for name in shown} == shown


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_short_and_asks_three_questions(name: str) -> None:
    lesson = load_lesson(name)
    assert lesson.name == name
    words = " ".join((lesson.idea, lesson.guess.text, lesson.guess.surprise)).split()
    assert len(words) <= _MOST_WORDS, len(words)
    assert lesson.formula
    assert lesson.code
    assert len({control.name for control in lesson.controls}) == len(lesson.controls)
    for seed in range(60):
        questions = lesson.ask(start_stream(name, seed))
        assert len(questions) == 3
        for question in questions:
            assert question.is_right(question.answer)
            assert question.kind != "choice" or question.answer in question.options
            assert question.kind != "cell" or question.grid is not None
            for code in ("en", "zh_CN"):
                translate = load_catalog(code).gettext
                assert question.text.fill(translate)
                assert question.why.fill(translate)
        assert [q.text.fill() for q in lesson.ask(start_stream(name, seed))] == [q.text.fill() for q in questions]


@pytest.mark.parametrize("name", [name for name in NAMES if load_lesson(name).live is not None])
def test_what_trains_live_shows_panels_soon(name: str, store: Store) -> None:
    lesson = load_lesson(name)
    assert lesson.live is not None
    state = torch.random.get_rng_state()
    values, _wrong = read_values(lesson.controls, {})
    run = lesson.live.run(make_subject(store, "shipped", 3), values)
    for _ in range(2):
        rows = next(run, None)
        if rows is not None:
            check_scene(Scene(rows=rows))
    run.close()  # type: ignore[attr-defined]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_photos_and_color_data_are_understood_too(store: Store, tmp_path: Path) -> None:
    image = torch.randint(0, 256, (3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    network = load_model(ModelRef.parse("imagenet:random"), store)
    for name in NAMES:
        lesson = load_lesson(name)
        values, _wrong = read_values(lesson.controls, {})
        check_scene(lesson.show(Subject(image=image, network=network), values))
