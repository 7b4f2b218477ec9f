"""The Train page says what a precision is on the chosen device, and refuses at its field what the device lacks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.settings.precision import Arithmetic
from cnn_demo.ui.shared import machine

TRAIN = "pages/train/train.py"
PLAIN: dict[str, Arithmetic] = {"fp32": "fast", "tf32": "none", "bf16": "slow", "fp16": "none"}


def open_with(monkeypatch: pytest.MonkeyPatch, open_page: Callable[..., AppTest], *devices: machine.Device) -> AppTest:
    """The page of a machine that has answered."""
    answered = SimpleNamespace(answer=machine.Machine(devices, "2.14.1"))
    monkeypatch.setattr(machine, "probe", lambda: answered)
    return open_page(TRAIN)


def cpu(**arithmetic: Any) -> machine.Device:
    return machine.Device("cpu", "Test processor", 2**34, 2**33, {**PLAIN, **arithmetic})


def choose(app: AppTest, precision: str) -> list[str]:
    app.selectbox(key="train:precision").select(precision).run()
    assert not app.exception
    return [caption.value for caption in app.caption]


def launch_button(app: AppTest) -> Any:
    return next(button for button in app.button if (button.key or "").startswith("launch:"))


def test_bf16_is_no_gain_where_there_is_no_arithmetic_for_it(
    monkeypatch: pytest.MonkeyPatch, open_page: Callable
) -> None:
    app = open_with(monkeypatch, open_page, cpu())
    assert "bf16: not faster on this device" in app.selectbox(key="train:precision").options
    assert any("nothing gets faster" in text for text in choose(app, "bf16"))
    assert not launch_button(app).disabled


def test_bf16_is_said_for_what_it_is_where_there_is(monkeypatch: pytest.MonkeyPatch, open_page: Callable) -> None:
    app = open_with(monkeypatch, open_page, cpu(bf16="fast"))
    assert "bf16: mixed with bfloat16" in app.selectbox(key="train:precision").options
    assert any("rounded to 8 bits" in text for text in choose(app, "bf16"))


def test_fp16_on_a_processor_is_refused_at_its_field_and_not_launched(
    monkeypatch: pytest.MonkeyPatch, open_page: Callable
) -> None:
    app = open_with(monkeypatch, open_page, cpu())
    assert any("fp16 needs CUDA" in text for text in choose(app, "fp16"))
    assert "fp16 needs CUDA" in app.error[0].value
    assert launch_button(app).disabled
    choose(app, "fp32")
    assert not app.error
    assert not launch_button(app).disabled


def test_a_gpu_says_tf32_and_scaling(monkeypatch: pytest.MonkeyPatch, open_page: Callable) -> None:
    gpu = machine.Device("cuda:0", "Test GPU", 2**34, 2**33, cpu(tf32="fast", bf16="fast", fp16="fast").arithmetic)
    app = open_with(monkeypatch, open_page, gpu, cpu())
    assert any("in TF32" in caption.value for caption in app.caption)
    assert any("loss is scaled" in text for text in choose(app, "fp16"))
    app.selectbox(key="train:device").select("cpu").run()
    assert any("fp16 needs CUDA" in caption.value for caption in app.caption)


def test_a_preset_fills_in_a_precision_that_is_a_gain_here(
    monkeypatch: pytest.MonkeyPatch, open_page: Callable
) -> None:
    for arithmetic, wanted in (({}, "fp32"), ({"bf16": "fast"}, "bf16")):
        app = open_with(monkeypatch, open_page, cpu(**arithmetic))
        app.button(key="train:preset:fashion").click().run()
        assert not app.exception
        assert app.selectbox(key="train:precision").value == wanted
        assert app.selectbox(key="train:dataset").value == "fashion-mnist"
        assert app.button(key="train:preset:fashion").icon == ":material/check:"
