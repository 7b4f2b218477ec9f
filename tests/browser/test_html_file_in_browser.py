"""The HTML file in a real Chromium that is offline: its logits are PyTorch's, its answers are the Draw page's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

import cnn_demo
from cnn_demo.datasets.specs import get_spec
from cnn_demo.export import html_file
from cnn_demo.export.formats import MOST_HTML_BYTES
from cnn_demo.export.html_file import write_html
from cnn_demo.export.plain_steps import OPERATORS, list_steps
from cnn_demo.export.reference_answers import make_reference_answers
from cnn_demo.handwriting.skeletons.outliers import draw_outlier
from cnn_demo.handwriting.skeletons.pen import PenPath, RandomStream
from cnn_demo.handwriting.skeletons.styles import choose_style, list_styles
from cnn_demo.handwriting.strokes import PAD, PenVariation, deform_paths, write_digit
from cnn_demo.models.registry import create_configured_model
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import as_loaded
from tests.unit.test_architectures import PLAIN_AND_OTHER, SPECS, Case, randomize_norms

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
BROWSER = Path(html_file.__file__).parent / "browser"
LOGITS, PROBABILITIES = 1e-5, 1e-5  # the largest differences that are accepted; of logits relative to the largest


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A page without any network; what it wants to fetch fails the test."""
    context = browser.new_context(offline=True, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(120_000)
    foreign: list[str] = []
    errors: list[str] = []
    page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(("file:", "about:")) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert (foreign, errors) == ([], [])


@pytest.fixture
def shipped(store: Store) -> LoadedModel:
    return load_model(ModelRef.parse("shipped"), store)


def open_network(page: Page, loaded: LoadedModel, path: Path) -> None:
    write_html(loaded, load_calibration(loaded), path)
    page.goto(path.as_uri())
    page.locator("#bars tr").first.wait_for()


def test_both_sides_know_the_same_operators(offline: Page) -> None:
    offline.add_script_tag(path=BROWSER / "operators.js")
    assert set(offline.evaluate("Object.keys(OPERATORS)")) == OPERATORS


@pytest.mark.parametrize("case", PLAIN_AND_OTHER, ids=str)
def test_logits_equal_pytorch(case: Case, offline: Page) -> None:
    offline.add_script_tag(path=BROWSER / "operators.js")
    for spec in [spec for spec in SPECS if spec.size in (28, 32)]:
        model = randomize_norms(case.build(spec)).eval()
        steps = list_steps(model, (spec.channels, spec.size, spec.size))
        if steps.nbytes * 4 / 3 > MOST_HTML_BYTES:
            continue  # it is refused: tests/unit/export/test_html_file.py
        image = torch.randn(1, spec.channels, spec.size, spec.size)
        with torch.no_grad():
            expected = model(image)[0].double()
        found = offline.evaluate(
            "([network, shape, data]) => new Network(network).run({ shape, data: Float32Array.from(data) })",
            [html_file._describe_steps(steps), list(image.shape), image.flatten().tolist()],
        )
        difference = (torch.tensor(found, dtype=torch.float64) - expected).abs().max()
        assert difference < LOGITS * max(1.0, float(expected.abs().max())), f"{case} on {spec.name}: {difference}"


Step = dict[str, Any]


def place_paths(paths: list[PenPath], pen: float, fill: float, stream: RandomStream) -> list[Step]:
    """Pen paths of any unit as strokes of the pad, somewhere on it."""
    every = np.concatenate(paths)
    low, extent = every.min(axis=0), max(float(np.ptp(every, axis=0).max()), 1e-6)
    unit = fill * PAD / extent
    room = np.maximum(PAD - np.ptp(every, axis=0) * unit - pen, 0)
    corner = np.array([stream.u(0, 1), stream.u(0, 1)]) * room + pen / 2
    return [{"width": pen, "points": ((path - low) * unit + corner).round(1).ravel().tolist()} for path in paths]


def line(width: float, *points: float) -> Step:
    return {"width": width, "points": list(points)}


SPECIAL: dict[str, list[Step]] = {
    "empty": [],
    "dot": [line(40, 133.3, 91.7)],
    "tiny": [line(4, 60, 60, 80, 60, 70, 84)],
    "edge": [line(18, 0, 40, 120, 40, 60, 240)],
    "thin": [line(4, 40, 40, 240, 50, 110, 260)],
    "several": [line(18, 60, 60, 60, 220), line(18, 180, 60, 190, 220)],
    "speck": [line(18, 80, 60, 180, 65, 120, 240), line(6, 262, 20)],
    "ruled": [line(4, 5, y, 275, y + 3) for y in (60, 120, 180)] + [line(24, 100, 40, 190, 45, 130, 240)],
    "squared": [line(5, x, 4, x, 276) for x in (50, 150, 250)] + [line(5, 4, 90, 276, 95), line(22, 90, 50, 100, 220)],
    "fat": [line(40, 90, 50, 200, 60, 110, 230), line(40, 80, 140, 210, 150)],
}


def make_drawings() -> list[tuple[str, list[Step]]]:
    """A hundred drawings: digits with several pens and sizes, letters and scribbles, and what needs a warning."""
    stream, variation = RandomStream(np.random.default_rng(7)), PenVariation()
    styles = list_styles(held_out=True)
    drawings = list(SPECIAL.items())
    for i in range(60):
        paths = write_digit(choose_style(styles[i % 10], stream), variation, stream)
        drawings.append((f"digit {i % 10}", place_paths(paths, round(stream.u(5, 34), 1), stream.u(0.2, 0.85), stream)))
    for _ in range(30):
        paths = deform_paths(draw_outlier(stream, "calibration"), variation, stream)
        drawings.append(("letter", place_paths(paths, round(stream.u(8, 24), 1), stream.u(0.3, 0.8), stream)))
    return drawings


def read_levels(page: Page, steps: list[Step]) -> NDArray[np.uint8]:
    levels = page.evaluate(
        "steps => { pad.steps = steps; pad.count = steps.length; return Array.from(pad.read()); }", steps
    )
    return np.array(levels, dtype=np.uint8).reshape(PAD, PAD)


def test_a_hundred_drawings_have_the_answers_of_the_draw_page(
    offline: Page, shipped: LoadedModel, tmp_path: Path
) -> None:
    open_network(offline, shipped, tmp_path / "net.html")
    predictor = Predictor(shipped, load_calibration(shipped))
    drawings = make_drawings()
    assert len(drawings) == 100
    kinds: set[str] = set()
    seen: set[str] = set()
    for name, steps in drawings:
        levels = read_levels(offline, steps)
        found = offline.evaluate("() => answer(pad.read())")
        [wanted] = predictor.predict([levels])
        verdict = wanted.verdict
        assert (found["kind"], found["prepared"]["warnings"]) == (verdict.kind, list(wanted.drawing.warnings)), name
        difference = np.abs(np.array(found["probabilities"]) - verdict.probabilities).max()
        assert difference < PROBABILITIES, f"{name}: {difference}"
        assert found["top"] == verdict.top, name
        assert found["entropy"] == pytest.approx(verdict.entropy_bits, abs=1e-3)
        kinds.add(verdict.kind)
        seen.update(wanted.drawing.warnings)
    assert kinds == {"sure", "torn", "unsure", "not_a_digit", "empty"}
    assert seen >= {"empty", "dot", "tiny", "edge", "thin", "several", "speck", "ruled"}


@pytest.mark.parametrize("dataset", ["fashion-mnist", "cifar10"])
def test_other_data_sets_are_prepared_as_the_draw_page_does(dataset: str, offline: Page, tmp_path: Path) -> None:
    config = TrainConfig(dataset=dataset, model="cnn-bn", device="cpu")
    torch.manual_seed(0)
    model = create_configured_model(config, get_spec(dataset)).eval().requires_grad_(False)
    loaded = dataclasses.replace(as_loaded(model, dataset), trained_as=config)
    open_network(offline, loaded, tmp_path / "net.html")
    predictor = Predictor(loaded)
    for name in ("empty", "thin", "fat"):
        [wanted] = predictor.predict([read_levels(offline, SPECIAL[name])])
        found = offline.evaluate("() => answer(pad.read())")
        assert np.abs(np.array(found["probabilities"]) - wanted.probabilities).max() < PROBABILITIES
        assert (found["kind"], found["top"]) == (wanted.verdict.kind, wanted.verdict.top)


def test_one_draws_and_takes_back(offline: Page, shipped: LoadedModel, tmp_path: Path) -> None:
    open_network(offline, shipped, tmp_path / "net.html")
    page, card = offline, offline.locator("#answer")
    expect(card).to_have_attribute("data-kind", "empty")
    expect(page.locator("#title")).to_have_text("Draw something")
    box = page.locator("#pad").bounding_box()
    assert box is not None

    def move_to(x: float, y: float) -> None:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)

    move_to(0.55, 0.2)
    page.mouse.down()
    move_to(0.5, 0.8)
    expect(page.locator("#title")).to_have_text("Sure: 1")  # while the pen is down
    page.mouse.up()
    expect(page.locator("#bars tr.first th")).to_have_text("1")
    shares = [float(re.sub("[<>%]", "", text)) for text in page.locator("#bars td:last-child").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=1.5)
    page.locator("#undo").click()
    expect(card).to_have_attribute("data-kind", "empty")
    page.locator("#redo").click()
    expect(page.locator("#title")).to_have_text("Sure: 1")
    page.locator("#clear").click()
    expect(card).to_have_attribute("data-kind", "empty")
    page.keyboard.press("Control+z")
    expect(page.locator("#title")).to_have_text("Sure: 1")


def test_the_file_says_whether_this_browser_computes_as_pytorch_does(
    offline: Page, shipped: LoadedModel, tmp_path: Path
) -> None:
    open_network(offline, shipped, tmp_path / "net.html")
    check = offline.locator("#check")
    expect(check).to_contain_text("of 20 images that the file brings along, 20 get PyTorch's class")
    expect(check).not_to_have_class("bad")
    reference = make_reference_answers(shipped)
    found = [
        offline.evaluate(
            "([shape, data]) => network.run({ shape, data: Float32Array.from(data) })",
            [[1, 1, 28, 28], image.ravel().tolist()],
        )
        for image in reference.inputs[:20]
    ]
    largest = np.abs(np.array(found) - reference.logits[:20]).max()
    assert float(check.inner_text().rsplit(" ", 1)[-1].removesuffix(".")) == pytest.approx(largest, rel=0.1)
    text = (tmp_path / "net.html").read_text("utf-8")
    (tmp_path / "broken.html").write_text(text.replace("s0 + (bias ? bias[j] : 0)", "s0"), "utf-8")
    offline.goto((tmp_path / "broken.html").as_uri())
    expect(check).to_contain_text("Do not trust the answers")
    expect(check).to_have_class("bad")


def test_a_pad_that_is_painted_over_says_so(offline: Page, shipped: LoadedModel, tmp_path: Path) -> None:
    open_network(offline, shipped, tmp_path / "net.html")
    offline.evaluate("() => pad.push({ width: 400, points: [140, 140] })")
    expect(offline.locator("#title")).to_have_text("Too much is painted")


def test_touch_chinese_and_dark_on_a_phone(browser: Browser, shipped: LoadedModel, tmp_path: Path) -> None:
    context = browser.new_context(
        offline=True, locale="zh-CN", color_scheme="dark", has_touch=True, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    open_network(page, shipped, tmp_path / "net.html")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.documentElement.lang") == "zh"
    expect(page.locator("#clear")).to_have_text("清空")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(16, 20, 27)"
    page.touchscreen.tap(195, 300)
    expect(page.locator("#answer")).to_have_attribute("data-kind", "not_a_digit")  # a dot
    context.close()


def test_strokes_are_painted_as_the_pad_of_the_app_paints_them() -> None:
    app = Path(cnn_demo.__file__).parent / "ui" / "components" / "pad" / "strokes.js"
    pattern = re.compile(r"^function paintStep.*?^}", re.DOTALL | re.MULTILINE)
    own, other = (pattern.search(path.read_text("utf-8")) for path in (BROWSER / "pad.js", app))
    assert own is not None
    assert other is not None
    assert own.group() == other.group()
