"""Names and figures for people, in the visitor's language."""

from __future__ import annotations

from typing import Any

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.locales import N_
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import ConfigError, find_setting
from cnn_demo.settings.description import Setting
from cnn_demo.settings.errors import fill
from cnn_demo.settings.summary import title_of
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.theme import STATE_BADGES

_LONGEST = 160  # characters of a value in a summary
STATE_TITLES: dict[str, str] = {
    "queued": N_("queued"),
    "starting": N_("starting"),
    "running": N_("running"),
    "paused": N_("paused"),
    "stopping": N_("stopping"),
    "finished": N_("finished"),
    "stopped": N_("stopped"),
    "failed": N_("failed"),
    "crashed": N_("crashed"),
}


def setting(name: str) -> str:
    """The title of a setting or an option; the name itself of one that this version does not know."""
    known = find_setting(name)
    return _(known.title) if known else name


def describe_setting(setting: Setting, value: Any) -> str:
    """A setting with its value, as a summary of a run says it."""
    title = _(title_of(setting, value))
    title = shorten(title)
    if not setting.brief:
        return _("{setting}: {value}").format(setting=_(setting.title), value=title)
    return _(setting.brief).format(value=value if isinstance(value, str) else title, title=title)


def shorten(text: str, most: int = _LONGEST) -> str:
    """A text that is cut where it is long."""
    return text if len(text) <= most else text[:most] + "…"


def config_error(error: ConfigError) -> str:
    """A config error in the visitor's language, naming the setting as the form does."""
    return _("{field}: {value} cannot be used; it must be {expected}.").format(
        field=f"**{setting(error.field)}**", value=error.value, expected=fill(_(error.message), error.values)
    )


def value_error(error: ConfigError) -> str:
    """The same where the setting stands above it."""
    return _("{value} cannot be used; it must be {expected}.").format(
        value=error.value, expected=fill(_(error.message), error.values)
    )


def model(name: str) -> str:
    """The title of a model."""
    return _(MODELS.get(name).title) if name in MODELS else name


def spec(name: str) -> DatasetSpec | None:
    """The spec of a data set, or None for a run whose data set this version does not know."""
    try:
        return get_spec(name)
    except KeyError:
        return None


def dataset(name: str) -> str:
    """The title of a data set."""
    known = spec(name)
    return _(known.title) if known else name


def state(value: str) -> str:
    """A run's state in words."""
    return _(STATE_TITLES.get(value, value))


def state_badge(value: str) -> str:
    """A run's state as a small colored Markdown badge."""
    return f":{STATE_BADGES.get(value, 'gray')}-badge[{state(value)}]"


def accuracy(value: float | None, n: int | None) -> str:
    """A test accuracy with its n, or "" where there is none yet."""
    if value is None or not n:
        return ""
    return _("{accuracy} of {n} test images").format(accuracy=f"{value:.2%}", n=f"{n:,}")


def accuracy_short(value: float, n: int) -> str:
    """A test accuracy with its n where there is little room."""
    return f"{value:.2%} (n={n:,})"


def duration(seconds: float) -> str:
    """A time span, rounded as a person would: "8 s", "2 min 5 s", "1 h 20 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return _("{s} s").format(s=whole)
    if whole < 3600:
        return _("{m} min {s} s").format(m=whole // 60, s=whole % 60)
    return _("{h} h {m} min").format(h=whole // 3600, m=whole % 3600 // 60)


def size(count: int) -> str:
    """An amount of memory in binary units: "512 MiB", "7.8 GiB"."""
    if count >= 2**30:
        return f"{count / 2**30:.1f} GiB"
    return f"{count / 2**20:.0f} MiB"


def file_size(count: int) -> str:
    """The size of a file: "35 KiB", "1.6 MiB"."""
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{max(1, round(count / 2**10))} KiB"


def ago(seconds: float) -> str:
    """How long ago something was."""
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return _("{m} min ago").format(m=int(seconds // 60))
    if seconds < 86_400:
        return _("{h} h ago").format(h=int(seconds // 3600))
    return _("{d} d ago").format(d=int(seconds // 86_400))
