"""The network of a page, chosen by the visitor and kept in the address as ``net=``; several with commas between.

Nothing here imports torch until :func:`load_network` is called.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.shipped import has_shipped_model
from cnn_demo.prediction.source import Checkpoint, find_checkpoint
from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.settings.reference import SHIPPED_REF, ModelRef, Step
from cnn_demo.ui.shared import layout, names, state
from cnn_demo.ui.shared.i18n import _, worded
from cnn_demo.ui.shared.markup import escape
from cnn_demo.ui.shared.store import get_store

if TYPE_CHECKING:
    from cnn_demo.prediction.load import LoadedModel

PARAM = "net"
PHOTO, PHOTO_RANDOM = ModelRef("imagenet", "resnet18"), ModelRef("imagenet", "random")
# How links named these networks before there was one grammar.
_OLD_NAMES = {"imagenet": str(PHOTO), "imagenet-random": str(PHOTO_RANDOM)} | {
    f"untrained-{name}": f"untrained:{name}" for name in MODELS.names
}


@dataclass(frozen=True)
class Network:
    """A chosen network, found but not yet loaded.

    Attributes:
        ref: the choice.
        title: for people, Markdown-free.
        run: its run; None for a network without one.
        checkpoint: what will be loaded; None where there is no run, or no such checkpoint.
        spec: the data set it is for; None for photographs, or where this version does not know the data set.
    """

    ref: ModelRef
    title: str
    run: Run | None = None
    checkpoint: Checkpoint | None = None
    spec: DatasetSpec | None = None

    @property
    def exact(self) -> ModelRef:
        """These weights, also when the run goes on."""
        return self.ref if self.checkpoint is None else self.ref.at(self.checkpoint.step)

    @property
    def following(self) -> bool:
        """Whether it moves on to newer checkpoints by itself."""
        return self.ref.step is None and self.run is not None and self.run.state.active

    @property
    def missing(self) -> bool:
        """Whether there is nothing to load."""
        return self.run is not None and self.checkpoint is None


def load_network(network: Network) -> LoadedModel:
    """The network itself, shared by all visitors and never changed. Errors as for ``prediction.load.load_model``."""
    from cnn_demo.prediction.load import load_model

    return load_model(network.exact, get_store())


# -- the address --------------------------------------------------------------------------------------------------


def put_networks(refs: Iterable[ModelRef]) -> None:
    """Choose networks, in the address too."""
    state.put(PARAM, ",".join(map(str, refs)) or None)


def wanted_networks() -> list[ModelRef]:
    """What the address asks for, each run once. Old links are rewritten; what names no network is said."""
    text = st.query_params.get("nets") or state.get(PARAM) or ""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    refs = [ref for ref in map(_parse, parts) if ref is not None]
    step = st.query_params.get("step", "")
    if len(refs) == 1 and refs[0] == ModelRef("run", refs[0].name) and step.isdecimal():
        refs = [refs[0].at(int(step))]
    refs = list({(ref.kind, ref.name): ref for ref in refs}.values())
    old = [name for name in ("nets", "step") if name in st.query_params]
    if old or any(part in _OLD_NAMES for part in parts):
        for name in old:
            del st.query_params[name]
        put_networks(refs)
    return refs


def _parse(text: str) -> ModelRef | None:
    try:
        return ModelRef.parse(_OLD_NAMES.get(text, text))
    except ValueError:
        _say_not_found(text)
        return None


def _say_not_found(name: str) -> None:
    layout.not_found(_("There is no network {name} here.").format(name=f"**{escape(name)}**"))


# -- choosing -----------------------------------------------------------------------------------------------------


def choose_networks(most: int) -> list[Network]:
    """Choose up to ``most`` networks side by side: the one that ships and runs, each at any checkpoint."""
    wanted = wanted_networks()
    options = _list_trained(wanted)
    chosen = _match(wanted, options, ("shipped", "run"))[:most]
    if not options:
        return []
    words = _words(options)
    key = _widget_key("several", words, [str(ref.at(None)) for ref in chosen])

    def changed() -> None:
        known = {str(ref.at(None)): ref for ref in chosen}
        put_networks(known.get(name) or ModelRef.parse(name) for name in st.session_state[key])

    st.multiselect(
        _("Networks, up to {n} side by side").format(n=most),
        list(words),
        key=key,
        max_selections=most,
        format_func=worded(words, words.__getitem__),
        on_change=changed,
    )
    found = [_find(ref, options) for ref in chosen]
    with_steps = [network for network in found if network.run is not None]
    for network, column in zip(with_steps, st.columns(max(len(with_steps), 1)), strict=False):
        with column:
            _choose_checkpoint(network, chosen, several=len(found) > 1)
    return found


def choose_network() -> Network:
    """Choose one network of any kind; for a run with several checkpoints a slider goes through them."""
    wanted = wanted_networks()
    options = _list_trained(wanted) | {ModelRef("untrained", name): None for name in MODELS.names}
    options |= {PHOTO: None, PHOTO_RANDOM: None}
    chosen = _match(wanted, options, ("shipped", "run", "untrained", "imagenet"))[0]
    words = _words(options)
    key = _widget_key("one", words, str(chosen.at(None)))
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        st.selectbox(
            _("Network"),
            list(words),
            key=key,
            format_func=worded(words, words.__getitem__),
            on_change=lambda: put_networks([ModelRef.parse(st.session_state[key])]),
        )
    network = _find(chosen, options)
    if network.run is not None:
        with right:
            _slide_through_checkpoints(network)
    return network


Options = Mapping[ModelRef, Run | None]  # networks without a step, in the order in which they are offered


def _list_trained(wanted: list[ModelRef]) -> dict[ModelRef, Run | None]:
    """The network that ships, and the newest runs that have a checkpoint or may get one; older ones that are wanted."""
    store = get_store()
    found: dict[ModelRef, Run | None] = {SHIPPED_REF: None} if has_shipped_model() else {}
    found |= {ModelRef("run", choice.run.id): choice.run for choice in store.runs_with_checkpoints()}
    for ref in wanted:
        if ref.kind == "run" and ref.at(None) not in found:
            with contextlib.suppress(RunNotFound):
                if store.newest_checkpoint(ref.name):
                    found[ref.at(None)] = store.get(ref.name)
    return found


def _match(wanted: list[ModelRef], options: Options, kinds: Sequence[str]) -> list[ModelRef]:
    """What is wanted and can be shown here; else the run that was looked at last, or the first option."""
    found = [ref for ref in wanted if ref.at(None) in options]
    for ref in wanted:
        if ref not in found and ref.kind in kinds:
            _say_not_found(str(ref.at(None)))
    looked_at = ModelRef("run", state.remembered("run") or "-")
    return found or [ref for ref in (looked_at, *options) if ref in options][:1]


def _words(options: Options) -> dict[str, str]:
    """The options as texts, each with words of its own."""
    words: dict[str, str] = {}
    for ref, run in options.items():
        title = _title(ref, run)
        words[str(ref)] = f"{title} ({ref})" if title in words.values() else title
    return words


def _title(ref: ModelRef, run: Run | None) -> str:
    if run is not None:
        return f"{run.title} · {names.state(run.state.value)}"
    if ref.kind == "shipped":
        return _("Shipped {model} (MNIST)").format(model=names.model("cnn"))
    if ref.kind == "untrained":
        return _("{model}, untrained").format(model=names.model(ref.name))
    if ref == PHOTO:
        return _("ResNet-18 for photographs (ImageNet)")
    return _("ResNet-18 for photographs, random weights")


def _find(ref: ModelRef, options: Options) -> Network:
    run = options[ref.at(None)]
    if run is None:
        data = {"shipped": "mnist", "untrained": "mnist-mini"}.get(ref.kind, "")
        return Network(ref, _title(ref, None), spec=names.spec(data))
    return Network(ref, run.title, run, find_checkpoint(ref, get_store()), names.spec(run.config.dataset))


def _widget_key(name: str, words: Mapping[Any, str], value: Any) -> str:
    """The key of a choice, which stands at ``value`` from now on.

    Streamlit keeps a choice as the words that were shown. A run that ends, or another language, changes them, and the
    choice would be lost. So other words make another widget, which is filled from the address.
    """
    digest = hashlib.blake2b("\n".join(words.values()).encode(), digest_size=6).hexdigest()
    key = f"net:{name}:{digest}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


# -- checkpoints --------------------------------------------------------------------------------------------------


def _describe(checkpoint: Checkpoint) -> str:
    return _("step {step} · epoch {epoch}").format(step=checkpoint.step, epoch=f"{checkpoint.epoch:.4g}")


def _choose_checkpoint(network: Network, chosen: list[ModelRef], *, several: bool) -> None:
    assert network.run is not None
    found = {c.step: c for c in get_store().checkpoints(network.run.id)}
    best = next((c for c in reversed(found.values()) if c.best), None)
    best_words = _("Best by validation, {checkpoint}").format(checkpoint=_describe(best)) if best else ""
    words: dict[Step, str] = {None: best_words or _("Newest")}
    if network.run.state.active:
        words[None] = _("Newest, follows the training")
        if best:
            words["best"] = best_words
    for step in reversed(found):
        words[step] = _describe(found[step])
    chosen_step = network.ref.step if network.ref.step in words else None
    key = _widget_key(f"step:{network.run.id}", words, chosen_step)

    def changed() -> None:
        new = network.ref.at(st.session_state[key])
        put_networks(new if ref == network.ref else ref for ref in chosen)

    title = escape(network.title)
    st.selectbox(
        _("Checkpoint of {name}").format(name=title) if several else _("Checkpoint"),
        list(words),
        key=key,
        format_func=lambda step: words.get(step, str(step)),
        on_change=changed,
    )


def _slide_through_checkpoints(network: Network) -> None:
    assert network.run is not None
    found = {c.step: c for c in get_store().checkpoints(network.run.id)}
    if network.checkpoint is None or len(found) < 2:
        return
    best = next((c for c in reversed(found.values()) if c.best), None)
    words = {step: _describe(checkpoint) for step, checkpoint in found.items()}
    if best is not None:
        words[best.step] = _("Best by validation, {checkpoint}").format(checkpoint=_describe(best))
    key = _widget_key(f"slide:{network.run.id}", words, network.checkpoint.step)
    st.select_slider(
        _("Checkpoint"),
        list(words),
        key=key,
        format_func=words.__getitem__,
        on_change=lambda: put_networks([network.ref.at(st.session_state[key])]),
    )
