"""The gettext catalogs, and the marker with which the core names its own titles for people.

English is the source; ``<language>/LC_MESSAGES/messages.po`` is what translators edit and ``messages.mo`` what the app
reads. ``make i18n`` brings both up to date.
"""

from __future__ import annotations

import gettext
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
DOMAIN = "messages"
SOURCE = "en"  # what the texts are written in


def N_(message: str) -> str:  # noqa: N802 (the name that gettext tools know)
    """Mark a text for extraction and return it unchanged; a page translates it with ``_()`` when it shows it."""
    return message


@lru_cache(maxsize=8)
def load_catalog(code: str) -> gettext.NullTranslations:
    """The translations of one language, by the name of its folder; English translates to itself."""
    return gettext.translation(DOMAIN, FOLDER, [code], fallback=code == SOURCE)
