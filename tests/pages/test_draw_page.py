"""The Draw page in both languages: what is read is one's own drawing, and nothing that goes wrong costs it."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnn_demo.cli import main
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.prediction.calibration import Calibration
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.prediction.wording import percent
from cnn_demo.runs.collection import Collection
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.ui.draw import calibrations, pad
from cnn_demo.ui.shared import last_drawing, picker
from tests.made_networks import as_loaded, put_checkpoint
from tests.pages.reading import words
from tests.pages.uploading import send, upload

DRAW = "pages/draw/draw.py"
SPEC = get_spec("mnist-mini")
Visit = Callable[..., AppTest]
SEQ = count(1)  # numbers of the pad's reports


@pytest.fixture(autouse=True)
def _no_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw probabilities: fitting a calibration takes seconds and has tests of its own."""
    monkeypatch.setattr(calibrations, "get_calibration", lambda *_: None)
    torch.set_num_threads(1)


@pytest.fixture
def network(store: Store, make_run: Callable[..., Run]) -> tuple[Run, Any]:
    """A finished run with a checkpoint, and its model."""
    run = make_run("finished", name="Mine", config=TrainConfig(device="cpu"))
    return run, put_checkpoint(store, run, seed=1, sharp=30)


def digit(number: int) -> np.ndarray:
    """A test digit as it would stand on the pad: ``(280, 280)`` uint8."""
    image = load_dataset("mnist-mini").test.images[number, 0].numpy()
    return np.asarray(Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC))


def png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="PNG")
    return out.getvalue()


def draw(app: AppTest, picture: np.ndarray | None) -> AppTest:
    """What the pad sends while the pen moves; then the pen rests."""
    url = None if picture is None else "data:image/png;base64," + base64.b64encode(png(picture)).decode()
    app.session_state[pad.PAD] = {"drawn": {"seq": next(SEQ), "png": url}}
    app.run()
    assert not app.exception, app.exception
    return app


def cards(app: AppTest) -> list[str]:
    """The cards of the networks, as HTML."""
    body = next((h.proto.body for h in app.get("html") if "draw-cards" in h.proto.body), "")
    return body.split("<article")[1:]


def said(card: str) -> tuple[str, list[str]]:
    """The large sign of a card, and the figures of its bars."""
    big = re.search(r'class="draw-big"[^>]*>([^<]*)<', card)
    return big[1] if big else "", re.findall(r"</span></td><td>([^<]*)</td>", card)


def checkpoint_of(app: AppTest, run: Run) -> Any:
    """The selector of a run's checkpoint."""
    return next(box for box in app.selectbox if (box.key or "").startswith(f"net:step:{run.id}:"))


def expected(model: Any, picture: np.ndarray) -> tuple[str, float]:
    (prediction,) = Predictor(as_loaded(model)).predict([picture])
    verdict = prediction.verdict
    return SPEC.classes[verdict.top], verdict.probabilities[verdict.top]


def open_draw(open_page: Visit, run: Run | None = None, locale: str = "en-US", **params: str) -> AppTest:
    return open_page(DRAW, locale, **({"net": run.id} if run else {}), **params)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, ">99.9%"), (1 - 1e-9, ">99.9%"), (0.9989, "99.9%"), (0.5, "50.0%"), (0.0011, "0.1%"), (0.0, "<0.1%")],
)
def test_no_probability_is_shown_as_certain(value: float, shown: str) -> None:
    assert percent(value) == shown


@pytest.mark.parametrize(("locale", "invited"), [("en-US", "Draw something"), ("zh-CN", "写点什么吧")])
def test_an_empty_pad_is_no_one(open_page: Visit, network: tuple[Run, Any], locale: str, invited: str) -> None:
    app = open_draw(open_page, network[0], locale)
    (card,) = cards(app)
    assert invited in card
    assert said(card) == ("✎", ["–"] * 10)
    assert "97" not in card.split("draw-top")[1]
    (card,) = cards(draw(app, np.zeros((280, 280, 4), np.uint8)))  # strokes that left no ink
    assert invited in card


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_answer_is_the_models(open_page: Visit, network: tuple[Run, Any], locale: str) -> None:
    app = draw(open_draw(open_page, network[0], locale), digit(17))
    (card,) = cards(app)
    top, share = expected(network[1], digit(17))
    assert said(card)[0] == top
    assert f"{share:.1%}" in card or share > 0.999
    assert len(said(card)[1]) == 10  # "<0.1%" among them, which must not become a tag
    assert "2,000" in card  # its accuracy comes with n
    stages = next(h.proto.body for h in app.get("html") if "data-stage" in h.proto.body)
    assert stages.count("<figure") == 6
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(17))


def test_the_name_of_a_piece_of_clothing_is_no_giant(
    open_page: Visit, store: Store, make_run: Callable[..., Run]
) -> None:
    """One letter may be as tall as two lines; a word of that size would be broken within it."""
    for dataset, long in (("mnist-mini", False), ("fashion-mnist", True)):
        run = make_run("finished", config=TrainConfig(dataset=dataset, device="cpu"))
        put_checkpoint(store, run, seed=1, sharp=30)
        [card] = cards(draw(open_draw(open_page, run), digit(7)))
        found = re.search(r'class="draw-big( draw-long)?"[^>]*>([^<]*)<', card)
        assert found is not None
        assert (found[1] is not None, len(found[2]) > 1) == (long, long), found[2]


def test_ten_people_never_see_each_others_digits(open_page: Visit, network: tuple[Run, Any]) -> None:
    """Ten sessions take turns, each drawing over what it drew before: each is read its own digit, and keeps its own.

    (AppTest swaps a global for the time of a run, so they cannot overlap here; ten browsers at once do in Chromium.)
    """
    numbers = [111 * n + 3 for n in range(10)]
    apps = [open_draw(open_page, network[0]) for _ in numbers]
    for stroke in (1, 2):
        for place, app in enumerate(apps):
            draw(app, digit(numbers[place if stroke == 2 else (place + 1) % 10]))
    for number, app in zip(numbers, apps, strict=True):
        app.run()
        assert np.array_equal(app.session_state[last_drawing.LAST], digit(number))
        assert said(cards(app)[0])[0] == expected(network[1], digit(number))[0]
    names = set()
    for app in apps[:3]:
        app.session_state["draw:look"] = "correct"
        app.run()
        app.button_group(key="draw:it-was").set_value(5).run()
        app.button(key="draw:keep").click().run()
        assert "1 drawing in your collection" in words(app)
        names.add(str(app.query_params["collection"]))
    assert len(names) == 3


def test_a_drawing_outlives_a_change_of_page_and_of_language(open_page: Visit, network: tuple[Run, Any]) -> None:
    app = draw(open_draw(open_page, network[0]), digit(5))
    app.switch_page("pages/start/start.py").run()
    app.switch_page(DRAW).run()
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(5))
    assert said(cards(app)[0])[0] == expected(network[1], digit(5))[0]
    app.button_group(key="language_switch").set_value("zh_CN").run()
    assert app.title[0].value == "手写"
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(5))
    draw(app, None)
    assert app.session_state[last_drawing.LAST] is None
    assert said(cards(app)[0])[0] == "✎"


def test_up_to_three_networks_read_one_drawing(
    open_page: Visit, store: Store, make_run: Callable[..., Run], network: tuple[Run, Any]
) -> None:
    run, first = network
    second = put_checkpoint(store, run, step=20, epoch=1, seed=8, sharp=30)
    other = make_run("finished", name="Other", config=TrainConfig(device="cpu"))
    third = put_checkpoint(store, other, seed=9, sharp=30)
    app = draw(open_page(DRAW, net=f"{run.id},{other.id}"), digit(40))
    assert [said(c)[0] for c in cards(app)] == [expected(m, digit(40))[0] for m in (first, third)]
    checkpoint_of(app, run).select_index(2).run()  # newest, step 60, step 20
    assert said(cards(app)[0])[0] == expected(second, digit(40))[0]
    assert f"{run.id}@20" in str(app.query_params["net"])
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(40))


def test_a_training_run_is_followed(open_page: Visit, store: Store, make_run: Callable[..., Run]) -> None:
    run = make_run("running", name="Live", config=TrainConfig(epochs=10, device="cpu"))
    app = draw(open_draw(open_page, run), digit(8))
    assert "no checkpoint yet" in cards(app)[0]
    early = put_checkpoint(store, run, step=10, epoch=0.5, seed=2, sharp=30)
    app.run()
    assert said(cards(app)[0])[0] == expected(early, digit(8))[0]
    late = put_checkpoint(store, run, step=60, epoch=3, seed=3, sharp=30)
    app.run()
    assert said(cards(app)[0])[0] == expected(late, digit(8))[0]
    assert "followed live" in cards(app)[0]


@pytest.mark.parametrize(("locale", "gone"), [("en-US", "no network"), ("zh-CN", "没有网络")])
def test_what_is_wrong_is_named_and_the_drawing_stays(
    open_page: Visit, store: Store, network: tuple[Run, Any], make_run: Callable[..., Run], locale: str, gone: str
) -> None:
    run, _model = network
    assert gone in open_page(DRAW, locale, net=f"nosuchrun,{run.id}").warning[0].value
    broken = make_run("finished", name="Broken", config=TrainConfig(device="cpu"))
    put_checkpoint(store, broken)
    weights = store.checkpoints(broken.id)[0].path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    app = draw(open_page(DRAW, locale, net=f"{broken.id},{run.id}"), digit(3))
    bad, good = cards(app)
    assert 'role="alert"' in bad
    assert "weights.safetensors" in bad
    assert said(good)[0]
    store.delete(run.id)
    app.run()
    assert gone in "\n".join(w.value for w in app.warning)
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(3))


def test_uploads(open_page: Visit, network: tuple[Run, Any]) -> None:
    app = open_draw(open_page, network[0], **{"from": "upload"})
    assert "Choose a picture" in cards(app)[0]
    paper = np.full((300, 200), 230, np.uint8)
    paper[60:240, 90:110] = 30
    upload(app, "draw:upload", "one.png", png(paper))
    assert said(cards(app)[0])[0] == expected(network[1], paper)[0]
    assert np.array_equal(app.session_state[last_drawing.LAST], paper)
    # A part of it is read alone, and the whole again.
    send(app, "draw:upload", kind="crop", crop=[0, 0, 1, 0.5])
    assert said(cards(app)[0])[0] == expected(network[1], paper[:150])[0]
    assert np.array_equal(app.session_state[last_drawing.LAST], paper[:150])
    send(app, "draw:upload", kind="crop", crop=None)
    assert said(cards(app)[0])[0] == expected(network[1], paper)[0]
    # What is damaged leaves no answer of the picture before.
    upload(app, "draw:upload", "fake.png", b"hello")
    assert "is no picture" in app.error[0].value
    assert "fake.png" in app.error[0].value
    assert 'data-kind="empty"' in cards(app)[0]
    assert app.session_state[last_drawing.LAST] is None
    # And what is taken away takes its answer with it.
    upload(app, "draw:upload", "one.png", png(paper))
    assert not app.error
    assert 'data-kind="empty"' not in cards(app)[0]
    send(app, "draw:upload", kind="remove")
    assert 'data-kind="empty"' in cards(app)[0]
    assert app.session_state[last_drawing.LAST] is None


def test_a_blank_picture_is_not_told_to_draw(open_page: Visit, network: tuple[Run, Any]) -> None:
    app = open_draw(open_page, network[0], **{"from": "upload"})
    upload(app, "draw:upload", "blank.png", png(np.full((200, 200), 250, np.uint8)))
    assert "No ink is found in this picture" in cards(app)[0]
    assert "Draw something" not in cards(app)[0]


def test_a_16_bit_picture_is_read_alike_on_the_page_and_on_the_command_line(
    open_page: Visit, network: tuple[Run, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gray = np.asarray(Image.fromarray(digit(9)), np.uint16) * 257
    file = tmp_path / "deep.png"
    Image.fromarray(gray).save(file)
    assert Image.open(file).mode == "I;16"
    app = open_draw(open_page, network[0], **{"from": "upload"})
    upload(app, "draw:upload", "deep.png", file.read_bytes())
    (card,) = cards(app)
    assert main(["predict", str(file), "--net", network[0].id, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out.strip().splitlines()[-1])["predictions"]
    assert said(card)[0] == row["label"]
    assert [html.unescape(figure) for figure in said(card)[1]] == [percent(p) for p in row["probabilities"]]
    assert expected(network[1], digit(9))[0] == row["label"]  # and it is the picture with 8 bits
    assert app.session_state[last_drawing.LAST].dtype == np.uint8


def test_too_much_of_an_upload_is_named(open_page: Visit, network: tuple[Run, Any]) -> None:
    app = draw(open_draw(open_page, network[0]), digit(3))
    app.button_group(key="draw:source").set_value("upload").run()
    wide = io.BytesIO()
    Image.new("1", (7_000, 7_000)).save(wide, format="PNG")  # its file is small
    heavy = png(np.zeros((8, 8), np.uint8)) + bytes(25 * 2**20)
    for name, data, words_ in (("wide.png", wide.getvalue(), "too many pixels"), ("heavy.png", heavy, "too large")):
        upload(app, "draw:upload", name, data)
        assert name in app.error[0].value
        assert words_ in app.error[0].value
    app.button_group(key="draw:source").set_value("draw").run()
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(3))


def test_samples_and_missing_data_sets(
    open_page: Visit,
    store: Store,
    make_run: Callable[..., Run],
    network: tuple[Run, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    app = open_draw(open_page, network[0], **{"from": "sample", "sample": "3-7"})
    test = load_dataset("mnist-mini").test
    image = test.images[np.flatnonzero(test.labels.numpy() == 3)[7], 0].numpy()
    assert said(cards(app)[0])[0] == expected(network[1], image)[0]
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path / "nothing"))
    other = make_run("finished", config=TrainConfig(dataset="kmnist", device="cpu"))  # in no distribution's package
    put_checkpoint(store, other)
    app = open_draw(open_page, other, **{"from": "sample"})
    assert "Kuzushiji-MNIST" in app.warning[0].value


@pytest.mark.parametrize("method", ["gradient", "integrated", "grad_cam", "occlusion"])
def test_why(open_page: Visit, network: tuple[Run, Any], method: str) -> None:
    app = draw(open_draw(open_page, network[0], look="why", method=method), digit(9))
    pair = next(h.proto.body for h in app.get("html") if "draw-pair" in h.proto.body)
    assert f'data-method="{method}"' in pair
    assert pair.count("<img") == 2
    app.button_group(key="draw:target").set_value(9).run()
    body = next(h.proto.body for h in app.get("html") if "draw-pair" in h.proto.body)
    assert "speaks for 9" in body
    assert ("speaks against it" in body) == (method != "grad_cam")  # it has no evidence against a class


def two_verdicts(app: AppTest) -> tuple[str, ...]:
    """The verdicts before and after the sliders were moved."""
    (text,) = (m.value for m in app.markdown if m.value.startswith("Before:"))
    return tuple(line.split(": ", 1)[1].strip() for line in text.split("\n"))


def test_sliders_change_the_answer_and_the_curve(open_page: Visit, network: tuple[Run, Any]) -> None:
    from cnn_demo.inspect.variations import Variation, varied_inputs

    app = draw(open_draw(open_page, network[0], look="change"), digit(9))
    before, now = two_verdicts(app)
    assert before == now
    assert len(app.get("echarts_chart")) == 1
    app.session_state["draw:changes"] = {"angle": 180, "right": 5, "down": 0, "scale": 1, "thickness": 0}
    app.run()
    assert not app.exception
    drawing = prepare(digit(9), SPEC)
    p = network[1](varied_inputs(drawing, SPEC, [Variation(), Variation(angle=180, right=5)])).max(1)
    assert two_verdicts(app)[0] == before
    assert f" {SPEC.classes[int(p.indices[1])]}" in two_verdicts(app)[1]
    # What a browser may send that is no value stands at rest, what lies outside is brought to the end.
    app.session_state["draw:changes"] = {"angle": "far", "right": None, "scale": 1e9, "down": float("nan")}
    app.run()
    assert not app.exception


@pytest.mark.parametrize("strict", [False, True])
def test_words_about_the_curve_agree_with_it(
    open_page: Visit, network: tuple[Run, Any], monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    """Every class that wins at an angle is drawn, the upright one too; what is no digit stays none."""
    from cnn_demo.inspect.variations import ANGLES, Variation, varied_inputs

    if strict:
        never = Calibration(temperature=1, threshold=1e9, digits=1, false_alarms=0)
        monkeypatch.setattr(calibrations, "get_calibration", lambda *_: never)
    app = draw(open_draw(open_page, network[0], look="change"), digit(9))
    chart = json.loads(app.get("echarts_chart")[0].proto.spec)
    turns = varied_inputs(prepare(digit(9), SPEC), SPEC, [Variation(angle=angle) for angle in ANGLES])
    winners = network[1](turns).argmax(1).tolist()
    assert {line["name"] for line in chart["series"]} == {SPEC.classes[label] for label in winners}
    said = next(c.value for c in app.caption if c.value.startswith("Upright"))
    assert ("no digit" in said) == strict
    if strict:
        assert "from -180° to 180°" in said
        assert all("does not look like a digit" in verdict for verdict in two_verdicts(app))
        assert chart["series"][0]["markArea"]["data"] == [[{"xAxis": -182.5}, {"xAxis": 182.5}]]
    else:
        assert f"Upright it reads {SPEC.classes[winners[ANGLES.index(0)]]}," in said
        assert "markArea" not in chart["series"][0]


@pytest.mark.parametrize(("locale", "kept"), [("en-US", "2 drawings in your collection"), ("zh-CN", "2 幅手写图")])
def test_correct_and_teach(open_page: Visit, store: Store, network: tuple[Run, Any], locale: str, kept: str) -> None:
    run = network[0]
    app = draw(open_draw(open_page, run, locale, look="correct"), digit(12))
    for label in (4, 9):
        app.button_group(key="draw:it-was").set_value(label).run()
        app.button(key="draw:keep").click().run()
    assert kept in words(app)
    name = app.query_params["collection"]
    name = name if isinstance(name, str) else name[0]
    collection = Collection(store.home / "collection", name)
    assert [e.label for e in collection.entries()] == [4, 9]
    app.toggle(key="draw:browse").set_value(True).run()
    next(b for b in app.button if b.key and b.key.startswith("draw:delete:")).click().run()
    assert [e.label for e in collection.entries()] == [4]  # the newest is shown first
    next(b for b in app.button if b.key and b.key.startswith("draw:teach:")).click().run()
    newest = store.list()[0]
    assert (newest.config.init, newest.config.collection) == (f"{run.id}@60", name)
    assert (newest.config.dataset, newest.config.model) == ("mnist-mini", "cnn")
    assert str(newest.id) in str(app.query_params["net"])


def test_without_a_network_one_can_still_draw(open_page: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picker, "has_shipped_model", lambda: False)
    app = draw(open_page(DRAW), digit(2))
    assert "no trained network" in app.info[0].value
    assert np.array_equal(app.session_state[last_drawing.LAST], digit(2))


def test_a_link_says_where_the_picture_comes_from_whatever_was_chosen_before(open_page: Visit) -> None:
    app = open_page(DRAW, **{"from": "sample"})
    app.query_params["from"] = "draw"
    app.run()
    assert app.session_state["draw:source"] == "draw"
    app.query_params["from"] = "nonsense"
    app.run()
    assert app.session_state["draw:source"] == "draw"
