"""A button launches once, however often it is clicked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.runs import launcher
from cnn_demo.runs.store import Store


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_spawn", lambda store: None)


def page() -> None:
    import streamlit as st

    from cnn_demo.settings.config import TrainConfig
    from cnn_demo.ui.shared import launching

    def launch(token: str) -> None:
        epochs = st.session_state.get("epochs", 1)
        for _ in range(st.session_state.get("clicks", 1)):
            run = launching.launch_run("here", token, lambda: TrainConfig(epochs=epochs), name="Named")
            st.session_state["launched"] = run.id if run else None

    st.session_state["problem"] = launching.take_problem("here")
    token = launching.launch_token("here")
    st.session_state["token"] = token
    st.button("Go", key=f"go:{token}", on_click=launch, args=(token,))


def show(**state: object) -> AppTest:
    app = AppTest.from_function(page, default_timeout=30)
    for name, value in state.items():
        app.session_state[name] = value
    return app.run()


def test_a_double_click_launches_one_run_and_the_next_click_another(store: Store) -> None:
    app = show(clicks=3)
    first = app.session_state["token"]
    assert app.run().session_state["token"] == first  # the same until something was launched
    app.button[0].click().run()
    assert [run.id for run in store.list()] == [app.session_state["launched"]]
    assert store.list()[0].name == "Named"
    assert app.session_state["token"] != first
    app.button[0].click().run()
    assert len(store.list()) == 2


def test_a_setting_that_cannot_be_used_is_said_once(store: Store) -> None:
    app = show(epochs=0)
    token = app.session_state["token"]
    app.button[0].click().run()
    assert app.session_state["launched"] is None
    assert "**Epochs**" in app.session_state["problem"]
    assert app.session_state["token"] == token
    assert app.run().session_state["problem"] is None
    assert store.list() == []


def test_a_full_disk_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_kwargs: object) -> Callable[..., object]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(launcher, "launch", full)
    app = show()
    app.button[0].click().run()
    assert "No space left" in app.session_state["problem"]
