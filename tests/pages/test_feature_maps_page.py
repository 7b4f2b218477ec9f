"""The Feature maps page without a browser: networks, images, links, languages, what is refused."""

from __future__ import annotations

import gc
import io
import re
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.inspect.capture import capture
from cnn_demo.models.registry import create_model
from cnn_demo.ui.maps import channel, scenes
from tests.made_networks import as_loaded
from tests.pages.uploading import upload

PAGE = "pages/inspect/feature_maps.py"
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred images instead of ten thousand; one thread, as in the unit tests."""
    part = load_dataset("mnist-mini").test.take(torch.arange(300))
    monkeypatch.setattr(channel, "_both_splits", lambda name: part)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "/nonexistent")
    torch.set_num_threads(1)


def texts(app: AppTest) -> str:
    found: list[Any] = [*app.markdown, *app.caption, *app.subheader, *app.title, *app.warning, *app.error, *app.info]
    return "\n".join(str(element.value) for element in found)


def test_a_sample_and_what_the_network_says(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn", sample="4-2")
    torch.manual_seed(0)
    model = create_model("cnn").eval()
    data = load_dataset("mnist-mini")
    index = (data.test.labels == 4).nonzero()[2]
    with torch.no_grad():
        probabilities = torch.softmax(model(normalize(data.test.images[index], data.spec))[0], 0)
    best, share = int(probabilities.argmax()), float(probabilities.max())
    assert f"**{best}** {share:.1%}" in texts(app)
    assert "weights are random" in texts(app)
    assert "What a channel has learnt" in texts(app)


def test_it_says_what_the_draw_page_says(open_page: Open) -> None:
    """One rule applies the temperature, one rounds: of the model that ships both pages give the same probabilities."""
    from cnn_demo.cli.networks import load_network
    from cnn_demo.prediction.calibration import load_calibration
    from cnn_demo.prediction.predictor import Predictor

    loaded = load_network("shipped")
    predictor = Predictor(loaded, load_calibration(loaded))
    assert predictor.calibration is not None
    assert predictor.calibration.temperature != 1
    data = load_dataset("mnist-mini")
    index = (data.test.labels == 4).nonzero()[2]
    (p,) = predictor.probabilities(data.test.images[index]).tolist()
    first, second, third = sorted(range(10), key=lambda label: -p[label])[:3]
    assert p[first] > 0.9995, "the test needs an image that would be rounded to 100.0%"
    assert p[second] < 0.0005
    answers = [f"**{first}** \\>99.9%", f"**{second}** \\<0.1%", f"**{third}** \\<0.1%"]
    assert "The network says: " + " · ".join(answers) in texts(open_page(PAGE, net="shipped", sample="4-2"))


def test_in_chinese(open_page: Open) -> None:
    app = open_page(PAGE, locale="zh-CN", net="untrained:cnn", unit="conv2,3,4,5")
    assert app.title[0].value == "特征图"
    assert "一个通道学到了什么" in texts(app)
    english = re.findall(
        r"[A-Za-z]{4,}", re.sub(r"relu\d|conv\d|mnist-mini|MNIST|PyTorch|gray|style.*", "", texts(app))
    )
    assert english == []


def test_a_link_chooses_layer_and_channel(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn", unit="relu2,17,4,5")
    assert app.selectbox(key="maps:layer").value == "conv2"
    assert app.number_input(key="maps:channel").value == 17
    nonsense = open_page(PAGE, net="untrained:cnn", unit="conv9,1,1,1", sample="12-9999", input="tea", step="x")
    assert nonsense.selectbox(key="maps:layer").value == "conv1"


def test_unknown_network(open_page: Open) -> None:
    assert "There is no network **zzz** here." in texts(open_page(PAGE, net="zzz"))


def test_order_and_scale(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn", sample="7-0")
    for order in ("mean", "influence"):
        app.selectbox(key="maps:order").set_value(order).run()
        assert not app.exception
    app.selectbox(key="maps:scale").set_value("channel").run()
    assert not app.exception


def test_moving_the_image_changes_the_answer(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn", sample="7-0")
    before = texts(app)
    rest = {"right": 0, "down": 0, "angle": 0, "scale": 1, "noise": 0}
    app.session_state["maps:moves"] = {**rest, "angle": 90}
    app.run()
    assert texts(app) != before
    app.session_state["maps:moves"] = {**rest, "right": "far"}  # a browser may send anything
    app.run()
    assert not app.exception
    assert texts(app) == before


def test_the_last_drawing_is_the_input(open_page: Open) -> None:
    drawing = np.zeros((280, 280, 4), np.uint8)
    drawing[..., 3] = 255
    drawing[60:220, 130:150, :3] = 255
    app = open_page("pages/start/start.py")
    app.session_state["drawing_image"] = drawing
    app.query_params["net"] = "untrained:cnn"
    app.switch_page(PAGE).run()
    assert not app.exception
    assert app.session_state["maps:source"] == "drawing"
    assert "The network says" in texts(app)


def test_an_upload(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn", input="upload")
    assert "Choose a picture" in texts(app)
    picture = np.full((60, 60), 255, np.uint8)
    picture[10:50, 25:32] = 0
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    upload(app, "maps:upload", "one.png", buffer.getvalue())
    assert "The network says" in texts(app)
    upload(app, "maps:upload", "broken.png", b"not a picture")
    assert "broken.png** is no picture" in texts(app)
    assert "The network says" not in texts(app)  # no answer of the picture before


def test_switching_channels_off(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn", unit="conv2,3,4,5")
    app.toggle(key="maps:switches").set_value(True).run()
    before = app.metric[0].value
    assert app.metric[0].delta == "unchanged"
    next(button for button in app.button if button.label == "Switch channel 3 off").click().run()
    chosen = app.multiselect[0]
    assert chosen.value == [3]
    chosen.set_value(list(range(64))).run()
    assert "2,000 test images" in app.metric[0].label
    assert app.metric[0].value != before  # everything off: the same answer for every image
    change = float(app.metric[0].value.rstrip("%")) - float(before.rstrip("%"))
    assert app.metric[0].delta == f"{change:+.2f} percentage points"  # a difference of shares is no percentage
    assert not app.exception


def test_the_image_a_class_likes(open_page: Open) -> None:
    app = open_page(PAGE, net="untrained:cnn")
    app.selectbox(key="maps:goal").set_value("3").run()
    next(button for button in app.button if button.label == "Climb").click().run()
    assert "Step 96 of 96. Logit of the class: " in texts(app)
    app.selectbox(key="maps:goal").set_value("channel").run()
    next(button for button in app.button if button.label == "Climb").click().run()
    found = re.search(r"Strength of the channel: (\S+); (\S+) for the noise at the start", texts(app))
    assert found is not None
    assert float(found[1]) > float(found[2])
    assert not app.exception


def test_the_class_token_has_its_arithmetic_too(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(scenes.explorer, "show_arithmetic", lambda trace, *_: shown.append(trace))
    app = open_page(PAGE, net="untrained:vit-hybrid", sample="4-2", unit="norm,5,3,2")
    assert "token" not in shown[-1]
    app.button_group(key="maps:token").set_value("class").run()
    torch.manual_seed(0)
    model = create_model("vit-hybrid").eval()
    data = load_dataset("mnist-mini")
    with capture(model) as maps:
        maps(normalize(data.test.images[(data.test.labels == 4).nonzero()[2]], data.spec))
    tokens = maps["norm"][0]  # (T, D), the class token first
    assert shown[0]["value"] == pytest.approx(float(tokens[1 + 3 * 7 + 2, 5]), abs=1e-6)
    assert shown[-1]["value"] == pytest.approx(float(tokens[0, 5]), abs=1e-6)
    assert shown[-1]["token"] == "class token"
    assert abs(shown[-1]["steps"][0]["difference"]) < 1e-5


def test_statistics_are_kept_for_the_next_visitor(open_page: Open, runs_home: Path) -> None:
    open_page(PAGE, net="untrained:cnn")
    (kept,) = (runs_home / "channels").iterdir()
    changed = kept.stat().st_mtime_ns
    open_page(PAGE, net="untrained:cnn")
    assert kept.stat().st_mtime_ns == changed


def test_photographs_without_a_network(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: object, **_kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    app = open_page(PAGE, net="imagenet:resnet18")
    assert "no route to host" in texts(app)
    next(button for button in app.button if button.label == "Use random weights instead").click().run()
    assert not app.exception
    assert app.query_params["net"] == "imagenet:random"
    assert "These weights are random" in texts(app)
    assert "Only for small grayscale networks." in texts(app)
    before = texts(app)
    app.segmented_control(key="maps:source").set_value("upload").run()
    photo = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG")
    upload(app, "maps:upload", "photo.jpg", buffer.getvalue())
    assert "The network says" in texts(app)
    assert texts(app) != before


def test_memory_is_bounded_while_one_flips() -> None:
    """Of twelve scenes only a few stay alive. (Networks: tests/unit/prediction/test_load.py)"""
    scenes._run_scene.clear()
    network = as_loaded(create_model("cnn").eval())
    seen: list[weakref.ref[Any]] = []
    for step in range(12):
        image = np.full((1, 28, 28), step, np.uint8)
        scene = scenes.scene_of_image(network, image)
        seen.append(weakref.ref(scene))
    del scene
    gc.collect()
    assert sum(ref() is not None for ref in seen) == 3
