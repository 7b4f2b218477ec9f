"""Pages driven by AppTest: no browser, no worker process, no question to the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.runs import launcher
from cnn_demo.ui.shared import machine

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_spawn", lambda store: None)
    device = machine.Device("cpu", "Test processor", 2**34, 2**33)
    monkeypatch.setattr(machine, "ask", lambda timeout=0: machine.Machine((device,), "2.14.1"))
    machine.probe.clear()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a page as a visitor with that browser language and those words in the URL."""

    def visit(path: str, locale: str = "en-US", **params: str) -> AppTest:
        monkeypatch.chdir(ROOT)
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        app.context = {"locale": locale}
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        if path != "pages/start/start.py":
            app.switch_page(path)
            for name, value in params.items():
                app.query_params[name] = value
            app.run()
        assert not app.exception, app.exception
        return app

    return visit
