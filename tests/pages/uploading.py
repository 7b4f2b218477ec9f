"""What the browser's field for a picture sends; tests/browser has the field itself."""

from __future__ import annotations

import base64
import itertools
from typing import Any

from streamlit.testing.v1 import AppTest

_numbers = itertools.count()


def send(app: AppTest, key: str, **message: Any) -> AppTest:
    """A message of the field with this key; the page is run again."""
    app.session_state[key] = {"sent": {"token": str(next(_numbers)), **message}}
    app.run()
    assert not app.exception, app.exception
    return app


def upload(app: AppTest, key: str, name: str, data: bytes) -> AppTest:
    """A file that the field sends as it is."""
    return send(app, key, kind="file", name=name, data=base64.b64encode(data).decode())
