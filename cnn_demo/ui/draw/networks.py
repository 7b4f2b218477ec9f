"""Which networks read the drawing: the shipped one, any run at any checkpoint, up to three side by side.

Nothing here imports torch until :func:`load` is called.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.runs.records import Checkpoint, Run, RunNotFound
from cnn_demo.runs.store import Store
from cnn_demo.ui.shared import i18n, layout, names, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape
from cnn_demo.ui.shared.store import get_store

if TYPE_CHECKING:
    from cnn_demo.prediction.calibration import Calibration
    from cnn_demo.prediction.load import LoadedModel

SHIPPED = "shipped"
SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "cnn-mnist"
MOST = 3
_PARAM, _KEY = "nets", "draw:nets"
_PICK = re.compile(r"([A-Za-z0-9_-]{1,40})(?:@(\d{1,12}))?")
_CALIBRATION_SAMPLES = 1000
NEWEST = -1


@dataclass(frozen=True, slots=True)
class Pick:
    """A network by name: ``shipped`` or a run id; ``step`` is None for the newest checkpoint."""

    option: str
    step: int | None = None

    def __str__(self) -> str:
        return self.option if self.step is None else f"{self.option}@{self.step}"


@dataclass(frozen=True)
class Network:
    """A chosen network, found but not yet loaded.

    Attributes:
        pick: the choice.
        title: for people, Markdown-free.
        run: its run; None for the shipped network.
        checkpoint: what will be loaded; None for the shipped network, or for a run without one yet.
        spec: the data set it is for; None where this version does not know it.
    """

    pick: Pick
    title: str
    run: Run | None
    checkpoint: Checkpoint | None
    spec: DatasetSpec | None

    @property
    def key(self) -> str:
        """Names the network and its weights."""
        return f"{self.pick.option}@{self.checkpoint.step}" if self.checkpoint else self.pick.option

    @property
    def following(self) -> bool:
        """Whether it moves on to newer checkpoints by itself."""
        return self.pick.step is None and self.run is not None and self.run.state.active

    @property
    def missing(self) -> bool:
        """Whether there is nothing to load yet."""
        return self.run is not None and self.checkpoint is None


def parse(text: str) -> list[Pick]:
    """The choices in a link: ``shipped,h7k2m9px@938``; what is no choice is left out."""
    found = [_PICK.fullmatch(part.strip()) for part in text.split(",")]
    picks = [Pick(m[1], int(m[2]) if m[2] else None) for m in found if m]
    return list({pick.option: pick for pick in picks}.values())[:MOST]


def choose_networks() -> list[Network]:
    """The selectors, and what they stand for. Says by name what a link asks for and is not here."""
    store = get_store()
    runs = {run.id: run for run in store.list() if run.state.active or store.checkpoints(run.id)}
    options = [*([SHIPPED] if shipped_is_here() else []), *runs]
    wanted = parse(state.get(_PARAM) or "")
    for pick in wanted:
        if pick.option not in options:
            layout.not_found(_("There is no network {name} here.").format(name=f"**{escape(pick.option)}**"))
    picks = [pick for pick in wanted if pick.option in options] or _default(options)
    chosen = [pick.option for pick in picks]
    # Streamlit keeps a choice as the words that were shown: in another language it is another widget, filled anew.
    key = f"{_KEY}:{i18n.language()}"
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen
    if not options:
        return []
    st.multiselect(
        _("Networks, up to {n} side by side").format(n=MOST),
        options,
        key=key,
        max_selections=MOST,
        format_func=i18n.worded(options, lambda o: title(o, runs)),
        on_change=_chosen,
        args=(key, picks),
    )
    found = [_find(store, pick, runs) for pick in picks]
    with_steps = [n for n in found if n.run is not None]
    for network, column in zip(with_steps, st.columns(max(len(with_steps), 1)), strict=False):
        with column:
            _checkpoint(store, network, picks, several=len(found) > 1)
    return [_find(store, pick, runs) for pick in picks]


def _default(options: list[str]) -> list[Pick]:
    looked_at = st.session_state.get("url:run")  # on the Train page
    first = looked_at if looked_at in options else next(iter(options), None)
    return [Pick(first)] if first else []


def _chosen(key: str, before: list[Pick]) -> None:
    steps = {pick.option: pick.step for pick in before}
    put([Pick(option, steps.get(option)) for option in st.session_state[key]])


def put(picks: list[Pick]) -> None:
    """Choose networks, in the link too."""
    state.put(_PARAM, ",".join(map(str, picks)) or None)


def title(option: str, runs: dict[str, Run]) -> str:
    """The name of a network for people."""
    if option == SHIPPED:
        return _("Shipped {model} (MNIST)").format(model=names.model("cnn"))
    run = runs[option]
    return f"{run.title} · {names.state(run.state.value)}"


def _find(store: Store, pick: Pick, runs: dict[str, Run]) -> Network:
    if pick.option == SHIPPED:
        return Network(pick, title(SHIPPED, runs), None, None, names.spec("mnist"))
    run = runs[pick.option]
    found = store.checkpoints(run.id)
    if pick.step is not None:
        found = [c for c in found if c.step == pick.step]
    return Network(pick, run.title, run, found[-1] if found else None, names.spec(run.config.dataset))


def _checkpoint(store: Store, network: Network, picks: list[Pick], *, several: bool) -> None:
    assert network.run is not None
    run_id = network.pick.option
    steps = {c.step: c for c in store.checkpoints(run_id)}
    options = [NEWEST, *reversed(steps)]
    step = NEWEST if network.pick.step not in steps else network.pick.step
    key = f"draw:step:{run_id}:{i18n.language()}"
    if st.session_state.get(key) != step:
        st.session_state[key] = step
    form = _("step {step} · epoch {epoch}")
    words = {s: form.format(step=s, epoch=f"{c.epoch:.2g}") for s, c in steps.items()}
    words[NEWEST] = _("Newest, follows the training") if network.run.state.active else _("Newest")

    def changed() -> None:
        new = st.session_state[key]
        put([Pick(p.option, None if new == NEWEST else new) if p.option == run_id else p for p in picks])

    st.selectbox(
        _("Checkpoint of {name}").format(name=escape(network.title)) if several else _("Checkpoint"),
        options,
        key=key,
        format_func=lambda s: words.get(s, str(s)),
        on_change=changed,
    )


@st.cache_resource(show_spinner=False, max_entries=1)
def shipped_is_here() -> bool:
    """Whether this checkout has the network that ships."""
    return (SHIPPED_FOLDER / "checkpoint.json").is_file()


# -- loading ------------------------------------------------------------------------------------------------------


def load(network: Network) -> LoadedModel:
    """The network itself, shared by all visitors and never changed.

    Raises:
        RunNotFound: its run was deleted.
        CheckpointUnreadable: its files are missing or damaged.
    """
    store = get_store()
    if network.run is not None and not store.version(network.run.id):
        raise RunNotFound(network.run.id)
    return _load(network.pick.option, network.checkpoint.step if network.checkpoint else None, str(store.home))


@st.cache_resource(show_spinner=False, max_entries=8)
def _load(option: str, step: int | None, home: str) -> LoadedModel:  # home keeps the stores of tests apart
    from cnn_demo.prediction.load import load_shipped
    from cnn_demo.runs.checkpoints import load_model

    return load_shipped() if option == SHIPPED else load_model(Store(Path(home)), option, step)


# -- calibration --------------------------------------------------------------------------------------------------


class Calibrations:
    """Calibrates networks in the background, one at a time, and remembers the result in the run's folder."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="calibrate")
        self._running: dict[Path, Future[Calibration | None]] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, make: Callable[[], Calibration]) -> Calibration | None:
        """The calibration kept at ``path``; None while it is being made, or where it cannot be."""
        from cnn_demo.prediction.calibration import Calibration

        try:
            return Calibration.load(path)
        except (OSError, ValueError):
            pass
        with self._lock:
            future = self._running.get(path)
            if future is None:
                future = self._running[path] = self._pool.submit(_calibrate, path, make)
                for done in [p for p, f in self._running.items() if f.done() and p != path][:-16]:
                    del self._running[done]
        return future.result() if future.done() else None

    def busy(self, path: Path) -> bool:
        """Whether one is being made for ``path``."""
        future = self._running.get(path)
        return future is not None and not future.done()


def _calibrate(path: Path, make: Callable[[], Calibration]) -> Calibration | None:
    try:
        found = make()
    except Exception:  # a data set that is gone, a full disk: the page then says it is not calibrated
        return None
    with contextlib.suppress(OSError):  # the run was deleted meanwhile; the figures are good all the same
        found.save(path)
    return found


@st.cache_resource(show_spinner=False, max_entries=1)
def _calibrations() -> Calibrations:
    return Calibrations()


def _calibration_path(network: Network, loaded: LoadedModel) -> Path:
    if network.checkpoint is not None:
        from cnn_demo.runs.checkpoints import calibration_file

        return calibration_file(get_store(), network.pick.option, network.checkpoint.step)
    ships = SHIPPED_FOLDER / "calibration.json"
    # Where none ships with the weights, it is made once; never beside them, for an installation may be read-only.
    return ships if ships.is_file() else get_store().home / f"calibration-shipped-{loaded.step}.json"


def calibration(network: Network, loaded: LoadedModel) -> Calibration | None:
    """What turns the network's logits into honest words; None while a run trains or until it is calibrated."""
    if network.following:
        return None

    def make() -> Calibration:
        from cnn_demo.datasets.files import is_available
        from cnn_demo.datasets.load import load_dataset
        from cnn_demo.prediction.calibration import calibrate

        # A set of digits that is not on this machine is stood in for by the one that ships.
        name = loaded.spec.name
        if not is_available(name) and loaded.spec.digits:
            name = "mnist-mini"
        return calibrate(loaded.model, load_dataset(name, download=False), n=_CALIBRATION_SAMPLES)

    return _calibrations().get(_calibration_path(network, loaded), make)


def calibrating(network: Network, loaded: LoadedModel) -> bool:
    """Whether its calibration is being made just now."""
    return not network.following and _calibrations().busy(_calibration_path(network, loaded))


def none_here() -> None:
    """There is no trained network on this machine yet: say so, and where to get one."""
    st.info(
        _("There is no trained network here yet. Draw all you like; train one to have it read."),
        icon=":material/neurology:",
    )
    st.page_link("pages/train/train.py", label=_("Train a network"), icon=":material/show_chart:")
