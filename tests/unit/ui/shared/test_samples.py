"""The one sample picker: the address names a test image, on every page the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.datasets.load import load_dataset
from cnn_demo.ui.shared import samples


def choose() -> None:
    import streamlit as st

    from cnn_demo.datasets.specs import get_spec
    from cnn_demo.ui.shared.samples import choose_sample

    st.session_state["found"] = choose_sample(get_spec(st.session_state.get("dataset", "mnist-mini")))


def show(**address: str) -> AppTest:
    app = AppTest.from_function(choose, default_timeout=30)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def test_the_address_names_the_image() -> None:
    found = show(sample="3-17").session_state["found"]
    test = load_dataset("mnist-mini").test
    index = np.flatnonzero(test.labels.numpy() == 3)[17]
    assert np.array_equal(found.image, test.images[index].numpy())
    assert (found.label, found.number) == (3, 17)
    assert found.pixels.shape == (28, 28)
    assert "17" in found.title


@pytest.mark.parametrize(
    ("text", "label", "number"), [("", 7, 0), ("tea", 7, 0), ("12-5", 9, 5), ("4-999999", 4, None), ("4", 7, 0)]
)
def test_what_is_no_place_stands_within_what_there_is(text: str, label: int, number: int | None) -> None:
    app = show(**({"sample": text} if text else {}))
    found = app.session_state["found"]
    last = int((load_dataset("mnist-mini").test.labels == label).sum()) - 1
    assert (found.label, found.number) == (label, last if number is None else number)


def test_a_choice_is_kept_in_the_address() -> None:
    app = show(sample="3-17")
    app.button_group[0].set_value(5).run()
    app.number_input[0].set_value(2).run()
    assert app.query_params["sample"] in ("5-2", ["5-2"])
    assert (app.session_state["found"].label, app.session_state["found"].number) == (5, 2)


def test_other_digits_stand_in_and_what_else_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    load = samples.load_samples

    def only_mini(name: str) -> object:
        if name != "mnist-mini":
            raise DatasetUnavailable(name, "offline", "made up", root=Path("nowhere"))
        return load(name)

    monkeypatch.setattr(samples, "load_samples", only_mini)
    app = AppTest.from_function(choose, default_timeout=30)
    app.session_state["dataset"] = "mnist"
    app.run()
    assert app.session_state["found"].spec.name == "mnist-mini"
    app.session_state["dataset"] = "cifar10"
    app.run()
    assert app.session_state["found"] is None
    assert "CIFAR-10" in app.warning[0].value
