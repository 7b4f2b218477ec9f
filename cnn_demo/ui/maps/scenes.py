"""The middle of the page: options, explorer, the arithmetic of the pinned unit, downloads, the table of layers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnn_demo.prediction.wording import percent
from cnn_demo.ui.components import explorer
from cnn_demo.ui.maps import class_token, figures
from cnn_demo.ui.shared import i18n, names, state
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape

if TYPE_CHECKING:
    from torch import Tensor

    from cnn_demo.inspect.patches import PatchIndex
    from cnn_demo.inspect.scene import Scene, ViewOptions
    from cnn_demo.prediction.load import LoadedModel

EXPLORER, CHANNEL = "maps:explorer", "maps:channel-panels"  # two fragments by these keys
_KINDS, _ORDER, _SCALE, _SENT = "maps:kinds", "maps:order", "maps:scale", "maps:sent"
_CHOICES = ("conv", "norm", "activation", "pool", "attention", "linear", "add", "product")
_FEW_LAYERS = 14


@st.cache_resource(show_spinner=False, max_entries=3)
def _run_scene(_network: LoadedModel, key: str, pixels: bytes, shape: tuple[int, ...]) -> Scene:
    # Three are kept, for all visitors: memory stays bounded while one flips.
    from cnn_demo.inspect.scene import run_scene

    image = np.frombuffer(pixels, np.uint8).reshape(shape).copy()
    return run_scene(_network.model, image, _network.normalize(image))


def scene_of_image(network: LoadedModel, image: np.ndarray) -> Scene:
    """What the network makes of ``(C, H, W)`` uint8."""
    return _run_scene(network, network.key, image.tobytes(), image.shape)


def show_scene(network: LoadedModel, image: np.ndarray, found: PatchIndex | None) -> Scene:
    """Options, prediction, explorer, arithmetic.

    Args:
        network: whose maps.
        image: ``(C, H, W)`` uint8.
        found: what is known about the channels, to mark dead ones.
    """
    scene = scene_of_image(network, image)
    options = _choose_options(scene, network, found)
    _show_prediction(network, scene)
    _explore(network, image, options)
    with st.container(horizontal=True):
        figures.show_figure_downloads(network, scene, options)
    with st.expander(_("The layers as a table"), icon=":material/table:"):
        st.dataframe(_tabulate_layers(scene), hide_index=True)
    return scene


_SHEET = """<style>
  :has(> .st-key-maps-sheet) { position: sticky; bottom: 0; z-index: 4; }
</style>"""


@st.fragment(key=EXPLORER)
def _explore(network: LoadedModel, image: np.ndarray, options: ViewOptions) -> None:
    """Explorer and arithmetic. A click runs only these two; once the numbers are drawn, the channel's panels follow."""
    scene = scene_of_image(network, image)
    with st.container():  # the sheet of numbers leaves the window with the maps
        st.html(_SHEET)
        explorer.show_explorer(_pack(network, scene, options), EXPLORER, _keep_pin)
        with st.container(key="maps-sheet"):
            pin = _show_arithmetic(network, scene)
        if pin is not None and scene.maps.nodes[pin["layer"]].op == "conv2d":
            _link_lesson()


def pinned_unit(scene: Scene) -> dict[str, Any] | None:
    """The pinned unit of the link or of this session, where this network has it."""
    parts = (state.get("unit") or "").rsplit(",", 3)
    if len(parts) != 4 or not all(part.isdigit() for part in parts[1:]):
        return None
    layer = next((layer for layer in scene.layers if layer.name == parts[0]), None)
    channel, y, x = map(int, parts[1:])
    if layer is None or len(layer.map_shape) not in (1, 3):
        return None
    sizes = (*layer.map_shape, 1, 1)[:3]
    if any(value >= size for value, size in zip((channel, y, x), sizes, strict=True)):
        return None
    return {"layer": layer.name, "channel": channel, "y": y, "x": x}


def _keep_pin() -> None:
    pin = st.session_state[EXPLORER].get("pin")
    state.put("unit", ",".join(str(pin[name]) for name in ("layer", "channel", "y", "x")) if pin else None)


def _choose_options(scene: Scene, network: LoadedModel, found: PatchIndex | None) -> ViewOptions:
    from cnn_demo.inspect.scene import ViewOptions

    drawn = {layer.kind for layer in scene.layers if layer.kind != "linear" or layer.spatial}
    here = [kind for kind in _CHOICES if kind in drawn]  # linear layers of features are always shown
    few = sum(layer.kind in here for layer in scene.layers) <= _FEW_LAYERS
    titles = explorer.kind_titles()
    orders = {"index": _("number"), "mean": _("mean activation"), "influence": _("influence on the prediction")}
    scales = {"layer": _("one a layer"), "channel": _("one a channel")}
    st.session_state.setdefault(_KINDS, here if few else ["conv", "attention"])
    st.session_state[_KINDS] = [kind for kind in st.session_state[_KINDS] if kind in here] or ["conv"]
    st.session_state.setdefault(_ORDER, "index")
    st.session_state.setdefault(_SCALE, "layer")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        kinds = st.pills(
            _("Layers"),
            here,
            key=_KINDS,
            selection_mode="multi",
            format_func=i18n.worded(here, titles.__getitem__),
            persist_state="session",
        )
        by = st.selectbox(
            _("Order of channels"),
            list(orders),
            key=_ORDER,
            format_func=i18n.worded(orders, orders.__getitem__),
            persist_state="session",
            width=240,
            help=_(
                "Influence is gradient × activation, summed over the map: a first-order estimate of how far the "
                "logit of the predicted class would fall without the channel."
            ),
        )
        scale = st.selectbox(
            _("Color scale"),
            list(scales),
            key=_SCALE,
            format_func=i18n.worded(scales, scales.__getitem__),
            persist_state="session",
            width=150,
        )
    dead = {} if found is None else {name: part.dead for name, part in found.layers.items()}
    dead |= {} if found is None else {part.response: part.dead for part in found.layers.values()}
    order = {} if by == "index" else _order(scene, network, network.key, scene.image.tobytes(), by)
    return ViewOptions(tuple(kinds), "channel" if scale == "channel" else "layer", order, dead)


@st.cache_resource(show_spinner=False, max_entries=8)
def _order(_scene: Scene, _network: LoadedModel, key: str, pixels: bytes, by: str) -> dict[str, np.ndarray]:
    from cnn_demo.inspect.scene import order_channels

    return order_channels(_scene, _network.model, by)


def _show_prediction(network: LoadedModel, scene: Scene) -> None:
    from cnn_demo.prediction.calibration import load_calibration

    p = calibrated(network, scene.maps[scene.layers[-1].name])
    parts = [f"**{class_name(network, int(i))}** {escape(percent(float(p[i])))}" for i in np.argsort(-p)[:3]]
    st.markdown(_("The network says: {answers}").format(answers=" · ".join(parts)))
    calibration = load_calibration(network)
    if calibration is not None:
        words = _(
            "Calibrated with temperature {t}, as on the Draw page; the arithmetic below ends in the plain softmax."
        )
        st.caption(words.format(t=f"{calibration.temperature:.2f}"))
    if not network.pretrained:
        st.caption(_("These weights are random: the network has learnt nothing, its answers mean nothing."))


def calibrated(network: LoadedModel, logits: Tensor) -> np.ndarray:
    """Probabilities ``(classes,)`` of logits ``(1, classes)``, as the Draw page gives them for this network."""
    from cnn_demo.prediction.calibration import load_calibration
    from cnn_demo.prediction.predictor import Predictor

    return Predictor(network, load_calibration(network)).probabilities_of(logits)[0].numpy()


def class_names(network: LoadedModel) -> list[str]:
    """The classes for people, in the order of the logits."""
    return [class_name(network, i) for i in range(len(network.classes))]


def show_block_heading(title: str) -> None:
    """A heading within a section, translated already."""
    st.markdown(f"##### {title}", anchors=False)


def class_name(network: LoadedModel, index: int) -> str:
    """A class for people; ImageNet's names stay English."""
    name = network.classes[index]
    return _(name) if network.photo is None else name


def _pack(network: LoadedModel, scene: Scene, options: ViewOptions) -> bytes:
    """The scene for the browser: the very same bytes until something in it changes, so that they travel once."""
    from cnn_demo.inspect.scene import pack_scene

    digest = hashlib.sha1(usedforsecurity=False)
    for part in (network.key, scene.image.tobytes(), i18n.language(), options.kinds, options.scale):
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    for arrays in (options.orders, options.dead):
        for name, array in arrays.items():
            digest.update(name.encode() + array.tobytes())
    key = digest.hexdigest()
    # The pin is in them to begin with: the browser knows the later ones by itself.
    sent = st.session_state.get(_SENT)
    if sent is None or sent[0] != key or EXPLORER not in st.session_state:  # or it was just mounted
        words, classes, pin = explorer.list_words(), class_names(network), pinned_unit(scene)
        sent = (key, pack_scene(scene, options, id=key, words=words, classes=classes, pin=pin))
        st.session_state[_SENT] = sent
    packed: bytes = sent[1]
    return packed


def _show_arithmetic(network: LoadedModel, scene: Scene) -> dict[str, Any] | None:
    """The sheet of numbers; gives the pinned unit."""
    from cnn_demo.inspect.trace import trace_unit
    from cnn_demo.plots.tiles import DIVERGING, color_table

    pin, trace = pinned_unit(scene), None
    if pin is not None:
        layer = scene.layer(pin["layer"])
        index: tuple[int, ...] = (pin["channel"], pin["y"], pin["x"])
        more = {"features": layer.map_shape[1:] in ((), (1, 1))}
        if layer.tokens is not None:
            index, token = class_token.choose_token(layer.tokens, pin)
            index, more = (*index, 0)[:3], more | token
        trace = trace_unit(scene.maps, layer.name, *index).plain() | pin | more
    colors = color_table(DIVERGING).tolist()
    explorer.show_arithmetic(trace, colors, class_names(network), "maps:arithmetic", lambda: st.rerun(CHANNEL))
    return pin


def _link_lesson() -> None:
    """To the lesson on one convolution, with this unit's window and kernel."""
    params = {name: st.query_params[name] for name in ("net", "sample", "input", "unit") if name in st.query_params}
    st.page_link(
        "pages/learn/learn.py",
        label=_("Slide this window yourself, in the lesson on convolution"),
        icon=":material/school:",
        query_params={"lesson": "convolution", "kernel": "unit", **params},
    )


def _tabulate_layers(scene: Scene) -> list[dict[str, Any]]:
    kinds = explorer.kind_titles()
    rows = []
    for layer in scene.layers:
        field = layer.field
        rows.append(
            {
                _("Layer"): layer.name,
                _("Kind"): kinds.get(layer.kind, layer.kind),
                _("Output"): " × ".join(map(str, layer.shape)),
                _("Parameters"): layer.parameters,
                _("Multiply-adds"): layer.multiply_adds,
                _("Receptive field"): " × ".join(map(str, field.size)),
                _("Its stride"): " × ".join(map(str, field.stride)) if field.stride else "",
                _("Its start"): ", ".join(map(str, field.start)) if field.start else "",
                _("Memory"): names.size(layer.memory) if layer.memory >= 2**20 else f"{layer.memory / 1024:.1f} KiB",
            }
        )
    return rows
