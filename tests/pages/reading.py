"""Reading a page as a visitor would."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def words(app: AppTest) -> str:
    """All text on the page."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "code")
    parts = [element.value for kind in kinds for element in getattr(app, kind)]
    parts += [
        element.label for kind in ("button", "metric", "selectbox", "number_input") for element in getattr(app, kind)
    ]
    return "\n".join(str(part) for part in parts)
