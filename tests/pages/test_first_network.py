"""The three steps of the Start page in every state: nothing drawn, drawn, waiting, training, ended, broken off."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from torch.nn import functional

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.models.registry import create_configured_model
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.estimate import speed_key
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.runs.strip import UNKNOWN, StripWriter, WatchedPicture, keep_drawings, keep_pictures, load_drawings
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.presets import find_preset
from cnn_demo.training.events import Watched
from cnn_demo.ui.start import steps
from tests.made_networks import as_loaded, put_checkpoint
from tests.pages.reading import words

Visit = Callable[..., AppTest]
Make = Callable[..., Run]
START = "pages/start/start.py"
CONFIG = TrainConfig.from_values(find_preset("first").changes)
SPEC = get_spec("mnist-mini")
SEQ = count(2_000_000)


def digit(number: int) -> np.ndarray:
    """A test digit as it would stand on the pad: ``(280, 280)`` uint8."""
    image = load_dataset("mnist-mini").test.images[number, 0].numpy()
    return np.asarray(Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC))


def draw(app: AppTest, picture: np.ndarray) -> AppTest:
    """What the pad sends."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="PNG")
    url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    app.session_state[steps.PAD] = {"drawn": {"seq": next(SEQ), "png": url}}
    app.run()
    assert not app.exception, app.exception
    return app


def strip(app: AppTest, part: str) -> tuple[dict[str, Any], np.ndarray]:
    """The strip of one part that is sent to the browser: header and probabilities ``(R, N, 10)``."""
    for component in app.get("bidi_component"):
        if component.proto.component_name.endswith("cnn_lab_strip"):
            data = component.proto.bytes
            (size,) = struct.unpack_from("<I", data)
            header = json.loads(data[4 : 4 + size])
            if header["part"] == part:
                shape = len(header["steps"]), len(header["pictures"]), 10
                return header, np.frombuffer(data, "<f4", int(np.prod(shape)), 4 + size).reshape(shape)
    raise AssertionError(f"no strip of the part {part}")


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def train_button(app: AppTest) -> Any:
    return next(button for button in app.button if (button.key or "").startswith("first-train:"))


def bars(app: AppTest) -> str:
    """The words of the progress bar."""
    return "\n".join(element.proto.text for element in app.get("progress"))


def links(app: AppTest) -> dict[str, Any]:
    """The ways on of step three, by page."""
    return {link.proto.page: link.proto for link in app.get("page_link") if link.proto.help}


def watch(store: Store, run: Run, moments: tuple[int, ...], drawing: np.ndarray | None = None) -> None:
    """What a worker would have written of the visitor's digit and one test image: each step a tenth surer of a 4."""
    folder = store.folder(run.id)
    if drawing is not None:
        keep_drawings(folder, [drawing])
    image = np.zeros((28, 28, 1), np.uint8)
    keep_pictures(folder, [WatchedPicture(image, UNKNOWN, drawn=True), WatchedPicture(image, 4, drawn=False)])
    writer = StripWriter(folder, run.total_steps)
    for k, step in enumerate(moments, start=1):
        row = torch.full((2, 10), (1 - k / 10) / 9)
        row[:, 4] = k / 10
        writer.add(Watched(step, step / 20, row, torch.ones(4, 1, 5, 5)))


@pytest.mark.parametrize(("locale", "said"), [("en-US", "First draw a digit"), ("zh-CN", "请先写一个数字")])
def test_nothing_is_drawn(open_page: Visit, store: Store, locale: str, said: str) -> None:
    app = open_page(START, locale)
    assert said in words(app)
    assert train_button(app).disabled
    assert not strip(app, "drawing")[1].any(), "no answer before there is a question"
    assert all(link.disabled for link in links(app).values())
    assert store.count() == 0


def test_an_untrained_network_answers_a_drawing_near_a_tenth(open_page: Visit) -> None:
    app = draw(open_page(START), digit(17))
    header, (((*shares,),),) = strip(app, "drawing")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_configured_model(CONFIG, SPEC).eval()
    expected = functional.softmax(model(prepare(digit(17), SPEC).input), dim=1)[0]
    assert np.allclose(shares, expected.detach().numpy(), atol=1e-6)
    assert max(shares) < 0.2, "ten bars near a tenth"
    assert "seen nothing" in header["title"]
    # Ten test images, the first of each digit, read by the same network.
    header, samples = strip(app, "samples")
    test = load_dataset("mnist-mini").test
    firsts = torch.stack([test.images[int((test.labels == label).nonzero()[0])] for label in range(10)])
    logits = model(normalize(firsts, SPEC))
    assert np.allclose(samples[0], functional.softmax(logits, dim=1).detach().numpy(), atol=1e-6)
    assert [picture["label"] for picture in header["pictures"]] == list(range(10))
    assert not train_button(app).disabled


def test_a_double_click_trains_one_network_and_it_watches_the_digit(open_page: Visit, store: Store) -> None:
    app = draw(open_page(START), digit(17))
    token = str(train_button(app).key).partition(":")[2]
    train_button(app).click().run()
    (run,) = store.list()
    assert store.create(CONFIG, token=token).id == run.id, "what a second click sends names the same launch"
    assert run.config == CONFIG
    (drawing,) = load_drawings(store.folder(run.id))
    assert np.array_equal(drawing, digit(17))
    assert "".join(app.query_params["first"]) == run.id
    assert not app.exception


def test_a_sample_takes_the_place_of_a_drawing(open_page: Visit, store: Store) -> None:
    app = open_page(START, **{"from": "sample", "sample": "3-7"})
    assert strip(app, "drawing")[1].sum() == pytest.approx(1)
    train_button(app).click().run()
    (drawing,) = load_drawings(store.folder(store.list()[0].id))
    assert drawing.shape == (28, 28)


def test_who_waits_is_told_how_long_and_the_network_that_ships_answers(
    open_page: Visit, store: Store, make_run: Make
) -> None:
    # One is half done after 10 s; then one that waits already.
    half = make_run("running", epochs=3, config=CONFIG, train_seconds=10.0)
    store.add_speed("cpu", speed_key(CONFIG), 8000.0)  # 6 s a network
    assert half.step * 2 == half.total_steps
    store.create(CONFIG)
    own = store.create(CONFIG)
    app = draw(open_page(START, first=own.id), digit(17))
    seconds = 10 * 1.25 + 6 * 1.25 + 1
    assert f"before it: 2; about {round(seconds)} s" in bars(app)
    header, (((*shares,),),) = strip(app, "drawing")
    assert "while yours waits" in header["title"]
    assert "The network that ships reads" in html(app)
    assert max(shares) > 0.9, "it has learnt already"
    # Somebody who has not begun sees what would wait before her.
    assert "before it: 3" in words(draw(open_page(START), digit(17)))
    # She leaves the queue.
    app.button(key=f"first-stop:{own.id}").click().run()
    assert store.get(own.id).state.value == "stopped"
    assert "before its first step" in "\n".join(info.value for info in app.info)
    assert train_button(app).label == "Try again"


def test_while_it_trains_the_bars_are_those_of_the_newest_report(
    open_page: Visit, store: Store, make_run: Make
) -> None:
    run = make_run("running", epochs=2, config=CONFIG)
    watch(store, run, (0, 20, 40), digit(17))
    app = draw(open_page(START, first=run.id), digit(17))
    header, shares = strip(app, "drawing")
    assert header["steps"] == [40]
    assert shares[0, 0, 4] == pytest.approx(0.3)
    assert strip(app, "samples")[0]["steps"] == [40]
    assert "Pass 3 of 6" in bars(app)
    # Another drawing waits for the end.
    app = draw(app, digit(3))
    assert strip(app, "drawing")[0]["steps"] == [40]
    assert "read when the training is done" in words(app)
    app.button(key=f"first-stop:{run.id}").click().run()
    assert store.get(run.id).state.value == "stopping"


def test_a_network_that_has_learnt_reads_what_is_drawn_and_leads_inside(
    open_page: Visit, store: Store, make_run: Make
) -> None:
    run = make_run("finished", epochs=6, config=CONFIG)
    watch(store, run, (0, 60, 120), digit(17))
    model = put_checkpoint(store, run, step=120, epoch=6.0, seed=1)
    app = open_page(START, first=run.id)
    # After a reload, before the browser has sent the drawing: the run knows it.
    assert strip(app, "drawing")[0]["steps"] == [0, 60, 120]
    assert np.array_equal(app.session_state["drawing_image"], digit(17))
    app = draw(app, digit(17))
    assert strip(app, "drawing")[0]["steps"] == [0, 60, 120], "the same digit: its whole history"
    app = draw(app, digit(3))
    _, (((*shares,),),) = strip(app, "drawing")
    (expected,) = Predictor(as_loaded(model)).predict([digit(3)])
    assert np.allclose(shares, expected.probabilities, atol=1e-6)

    page = html(app)
    assert "of 2,000 unseen digits read right (mnist-mini)" in page
    assert page.count("<figure") == 3, "one row of maps for each convolution"
    assert "the 4 strongest of 16 maps, 14 × 14" in page
    found = links(app)
    for way in ("feature_maps", "draw"):
        assert not found[way].disabled
        query = parse_qs(found[way].query_string)
        assert (query["net"], query["input"], query["from"]) == ([run.id], ["drawing"], ["draw"])
    # On Feature maps the same digit stands in the same network.
    app.switch_page("pages/inspect/feature_maps.py")
    for name, (value,) in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert np.array_equal(app.session_state["drawing_image"], digit(3))
    assert app.session_state["maps:source"] == "drawing"


def test_one_thing_is_changed_after_the_other(open_page: Visit, store: Store, make_run: Make) -> None:
    run = make_run("finished", epochs=6, config=CONFIG)
    watch(store, run, (0, 120), digit(17))
    put_checkpoint(store, run, step=120, epoch=6.0)
    app = open_page(START, first=run.id)
    for number, rate in enumerate((0.0001, 3.0), start=2):
        trial = next(button for button in app.button if (button.key or "").startswith("first-trial:"))
        trial.click().run()
        newest = store.list()[0]
        assert (newest.number, newest.config) == (number, CONFIG.replace(lr=rate))
        assert len(load_drawings(store.folder(newest.id))) == 1, "it watches the same digit"
        store.change_run(newest.id, state="finished", step=120, total_steps=120, epoch=6.0)
        watch(store, newest, (0, 120))
        put_checkpoint(store, newest, step=120, epoch=6.0)
        app.run()
    assert "Now change what you like" in words(app)
    # Her own are listed, and each can be shown again.
    app.button(key=f"first-own:{run.id}").click().run()
    assert "".join(app.query_params["first"]).startswith(run.id)
    app.button(key="first-anew").click().run()
    assert "first" not in app.query_params
    assert store.count() == 3


@pytest.mark.parametrize("state", ["failed", "crashed"])
def test_one_that_broke_off_says_so_and_can_be_tried_again(
    open_page: Visit, store: Store, make_run: Make, state: str
) -> None:
    run = make_run(state, epochs=0, config=CONFIG, error="boom", error_kind="killed")
    keep_drawings(store.folder(run.id), [digit(17)])
    app = open_page(START, first=run.id)
    assert "broke off" in app.error[0].value
    assert train_button(app).label == "Try again"
    assert strip(app, "drawing")[1].max() < 0.2, "the untrained network still answers"
    train_button(app).click().run()
    assert store.count() == 2
    assert np.array_equal(load_drawings(store.folder(store.list()[0].id))[0], digit(17))


def test_a_link_to_a_network_that_is_gone(open_page: Visit) -> None:
    app = open_page(START, first="nosuchrun,another")
    assert [warning.value.count("no run") for warning in app.warning] == [1, 1]
    assert "First draw a digit" in words(app)


def test_a_launch_that_fails_loses_nothing(open_page: Visit, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    app = draw(open_page(START), digit(17))

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Store, "create", full)
    train_button(app).click().run()
    assert "No space left on device" in app.error[0].value
    assert strip(app, "drawing")[1].any()
