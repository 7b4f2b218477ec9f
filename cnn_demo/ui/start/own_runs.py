"""The visitor's own networks, the newest first: in the address as ``first=ID,ID``, so that a reload keeps them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.ui.shared import layout, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store

# Not ``run``: that is the run which the Train page looks at, of whatever kind.
PARAM = "first"
_MOST = 6
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def list_own_runs(store: Store) -> list[Run]:
    """The networks that the address names; what names none is said, and forgotten."""
    known = {name: _find(store, name) for name in _list_names()}
    found = [run for run in known.values() if run is not None]
    missing = [name for name, run in known.items() if run is None]
    for name in missing:
        layout.not_found(_("There is no run {name} here.").format(name=f"**{escape(name)}**"))
    if missing:
        _put([run.id for run in found])
    return found


def _find(store: Store, run_id: str) -> Run | None:
    try:
        return store.get(run_id)
    except RunNotFound:
        return None


def find_newest_id() -> str | None:
    """The id of the newest as the address has it, without a look whether there is such a run."""
    return next(iter(_list_names()), None)


def remember_run(run_id: str) -> None:
    """A network of this visitor comes first: one that was launched, or one of hers that she goes back to."""
    _put([run_id, *(name for name in _list_names() if name != run_id)])


def begin_anew() -> None:
    """Forget them all: step one again, for the next person at this screen."""
    _put([])


def _list_names() -> list[str]:
    names = [name for name in (state.get(PARAM) or "").split(",") if _ID.fullmatch(name)]
    return list(dict.fromkeys(names))[:_MOST]


def _put(names: list[str]) -> None:
    state.put(PARAM, ",".join(names[:_MOST]) or None)
