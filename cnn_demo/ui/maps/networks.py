"""Which network is looked into: a run's checkpoint, the shipped model, an untrained one, or one for photographs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.models.registry import MODELS
from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.ui.shared import i18n, layout, names, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape
from cnn_demo.ui.shared.store import get_store

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn

SHIPPED, PHOTO, PHOTO_RANDOM = "shipped", "imagenet", "imagenet-random"
_FRESH = "untrained-"
_NETWORK, _STEP = "maps:network", "maps:step"


@dataclass(frozen=True)
class Network:
    """A network ready to be looked into. Shared by all visitors and never changed.

    Attributes:
        key: names network and weights; for caches.
        model: in evaluation mode, on the CPU.
        classes: names of the outputs, translated by the pages.
        spec: the data set it is for; None for photographs.
        folder: where what is found out about its channels is kept.
        normalize: ``(C, H, W)`` uint8 to ``(1, C, H, W)`` float32.
        photo: a photograph as the network wants it, ``(3, H, W)`` uint8; None for data sets.
        pretrained: false where the weights are random.
    """

    key: str
    model: nn.Module
    classes: tuple[str, ...]
    spec: DatasetSpec | None
    folder: Path
    normalize: Callable[[np.ndarray], Tensor]
    photo: Callable[[Image.Image], np.ndarray] | None = None
    pretrained: bool = True


def choose_network() -> Network | None:
    """The selectors for network and checkpoint; None where it cannot be loaded (the page has said why)."""
    store = get_store()
    runs = {run.id: run for run in store.list() if store.checkpoints(run.id)}
    options = [*runs, *([SHIPPED] if _shipped_is_here() else []), *_fresh(), PHOTO, PHOTO_RANDOM]
    wanted = state.get("net")
    if wanted and wanted not in options:
        layout.not_found(_("There is no network {name} here.").format(name=f"**{escape(wanted)}**"))
        wanted = None
    chosen = wanted or _default(options)
    if st.session_state.get(_NETWORK) != chosen:
        st.session_state[_NETWORK] = chosen
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        st.selectbox(
            _("Network"),
            options,
            key=_NETWORK,
            format_func=i18n.worded(options, lambda o: _title(o, runs)),
            on_change=lambda: _choose(st.session_state[_NETWORK]),
        )
    step = None
    if chosen in runs:
        with right:
            step = _checkpoint(runs[chosen])
    return _load(chosen, step)


def _choose(option: str) -> None:
    state.put("net", option)
    state.put("step", None)


def _default(options: list[str]) -> str:
    last = state.get("run")  # what the visitor looked at on the Train page
    return last if last in options else next(o for o in options if not o.startswith(_FRESH) or o == f"{_FRESH}cnn")


def _fresh() -> list[str]:
    return [_FRESH + name for name in MODELS.names]


def _title(option: str, runs: dict[str, Run]) -> str:
    if option in runs:
        run = runs[option]
        return f"{run.title} · {names.state(run.state.value)}"
    if option == SHIPPED:
        return _("The model that ships: {model}, trained on MNIST").format(model=names.model("cnn"))
    if option == PHOTO:
        return _("ResNet-18 for photographs (ImageNet)")
    if option == PHOTO_RANDOM:
        return _("ResNet-18 for photographs, random weights")
    return _("{model}, untrained").format(model=names.model(option.removeprefix(_FRESH)))


def _checkpoint(run: Run) -> int:
    found = {c.step: c for c in get_store().checkpoints(run.id)}
    steps = list(found)
    wanted = state.get("step") or ""
    step = int(wanted) if re.fullmatch(r"\d+", wanted) and int(wanted) in found else steps[-1]
    if len(steps) == 1:
        return step
    if st.session_state.get(_STEP) != step:
        st.session_state[_STEP] = step
    words = _("step {step} · epoch {epoch}")
    titles = {s: words.format(step=s, epoch=f"{found[s].epoch:.2g}") for s in steps}
    st.select_slider(
        _("Checkpoint"),
        steps,
        key=_STEP,
        format_func=lambda s: titles[s],
        on_change=lambda: state.put("step", str(st.session_state[_STEP])),
    )
    return step


def _load(option: str, step: int | None) -> Network | None:
    from cnn_demo.models.imagenet import WeightsUnavailable
    from cnn_demo.training.snapshot import CheckpointUnreadable

    try:
        with st.spinner(_("Loading the network…"), show_time=False):
            return _network(option, step, str(get_store().home))
    except WeightsUnavailable as error:
        st.warning(
            _("The ImageNet weights cannot be fetched from {url}: {reason}").format(
                url=f"`{error.url}`", reason=escape(error.reason)
            ),
            icon=":material/cloud_off:",
        )
        st.button(
            _("Use random weights instead"),
            on_click=_choose,
            args=(PHOTO_RANDOM,),
            type="primary",
            help=_("The shapes, receptive fields and arithmetic are the same; the answers mean nothing."),
        )
    except CheckpointUnreadable as error:
        st.error(_("This checkpoint cannot be read: {reason}").format(reason=escape(error.reason)))
    except RunNotFound:
        layout.not_found(_("This run was deleted meanwhile."))
    return None


@st.cache_resource(show_spinner=False, max_entries=6)
def _network(option: str, step: int | None, home: str) -> Network:  # home keeps one server's tests apart
    store = get_store()
    if option in (PHOTO, PHOTO_RANDOM):
        return _photo_network(option, Path(home))
    if option.startswith(_FRESH):
        return _untrained(option.removeprefix(_FRESH), Path(home))
    from cnn_demo.prediction.load import load_shipped
    from cnn_demo.runs.checkpoints import load_model

    loaded = load_shipped() if option == SHIPPED else load_model(store, option, step)
    folder = Path(home) / "channels" if option == SHIPPED else store.folder(option) / "channels"
    return Network(
        key=f"{option}:{loaded.step}",
        model=loaded.model,
        classes=loaded.spec.classes,
        spec=loaded.spec,
        folder=folder,
        normalize=_normalizer(loaded.spec),
    )


def _untrained(name: str, home: Path) -> Network:
    import torch

    from cnn_demo.models.registry import create_model

    spec = get_spec("mnist-mini")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model(name, channels=spec.channels, size=spec.size, classes=len(spec.classes)).eval()
    return Network(f"{_FRESH}{name}", model, spec.classes, spec, home / "channels", _normalizer(spec), pretrained=False)


def _normalizer(spec: DatasetSpec) -> Callable[[np.ndarray], Tensor]:
    import torch

    from cnn_demo.datasets.device_dataset import normalize

    return lambda image: normalize(torch.from_numpy(np.ascontiguousarray(image))[None], spec)


def _photo_network(option: str, home: Path) -> Network:
    from cnn_demo.models.imagenet import photo_model

    found = photo_model(pretrained=option == PHOTO)
    more: dict[str, Any] = {"photo": lambda picture: found.prepare(picture)[0], "pretrained": found.pretrained}
    return Network(option, found.model, found.classes, None, home / "channels", found.normalize, **more)


@st.cache_resource(show_spinner=False)
def _shipped_is_here() -> bool:
    return (Path(__file__).resolve().parents[2] / "assets" / "models" / "cnn-mnist" / "checkpoint.json").is_file()
