"""The gettext catalogs, and the marker with which the core names its own titles for people.

English is the source; ``<language>/LC_MESSAGES/messages.po`` is what translators edit and ``messages.mo`` what the app
reads. ``make i18n`` brings both up to date.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
DOMAIN = "messages"


def N_(message: str) -> str:  # noqa: N802 (the name that gettext tools know)
    """Mark a text for extraction and return it unchanged; a page translates it with ``_()`` when it shows it."""
    return message
