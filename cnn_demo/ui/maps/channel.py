"""What one channel has learnt: its kernel, the patches and classes that excite it, the image that excites it most."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnn_demo.ui.maps import scenes
from cnn_demo.ui.shared import i18n, names
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.shared.theme import TRAIN_COLOR

if TYPE_CHECKING:
    from cnn_demo.inspect.activation_maximization import AscentProgress
    from cnn_demo.inspect.architecture import Layer
    from cnn_demo.inspect.patches import PatchIndex
    from cnn_demo.inspect.scene import Scene
    from cnn_demo.prediction.load import LoadedModel

_LAYER, _CHANNEL, _GOAL, _SEED, _BEST_IMAGE = "maps:layer", "maps:channel", "maps:goal", "maps:seed", "maps:maximized"
_STYLE = "<style>[class*='st-key-maps-'] img { image-rendering: pixelated; border-radius: 2px; }</style>"
_FRAME = (234, 88, 12)  # around a patch in its image: the orange of theme.TEST_COLOR
_ASK_FROM = 2e11  # multiply-adds for which nobody is asked: some ten seconds on two cores


def choose_channel(scene: Scene) -> tuple[Layer, int]:
    """Layer and channel: those of the pinned unit until the visitor chooses others."""
    convs = [layer.name for layer in scene.layers if layer.kind == "conv"]
    pin = scenes.pinned_unit(scene)
    if pin is not None and st.session_state.get("maps:followed") != pin:
        st.session_state["maps:followed"] = pin
        layer = _conv_behind(scene, pin["layer"])
        if layer is not None and pin["channel"] < scene.layer(layer).channels:
            st.session_state[_LAYER], st.session_state[_CHANNEL] = layer, pin["channel"]
    if st.session_state.get(_LAYER) not in convs:
        st.session_state[_LAYER], st.session_state[_CHANNEL] = convs[0], 0
    channels = scene.layer(st.session_state[_LAYER]).channels
    st.session_state[_CHANNEL] = min(st.session_state.get(_CHANNEL, 0), channels - 1)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(_("Convolution"), convs, key=_LAYER, width=260)
        st.number_input(_("Channel, of {n}").format(n=channels), 0, channels - 1, key=_CHANNEL, width=180)
    return scene.layer(st.session_state[_LAYER]), int(st.session_state[_CHANNEL])


def _conv_behind(scene: Scene, name: str) -> str | None:
    """The convolution whose channels a layer carries on."""
    layer = scene.layer(name)
    while layer.kind != "conv":
        if layer.kind not in ("norm", "activation", "pool") or len(layer.inputs) != 1:
            return None
        layer = scene.layer(layer.inputs[0])
    return layer.name


def load_known_statistics(network: LoadedModel) -> PatchIndex | None:
    """What was found out about this checkpoint's channels earlier, by anybody."""
    if network.photo is not None:
        return None
    return _load(str(_file(network)), _age(_file(network)))


@st.cache_resource(show_spinner=False, max_entries=4)
def _load(path: str, age: float) -> PatchIndex | None:  # age is a key: another file under the same name
    from cnn_demo.inspect.patches import load_statistics

    return load_statistics(Path(path)) if age else None


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@st.cache_resource(show_spinner=False, max_entries=32)
def _name(_network: LoadedModel, key: str, dataset: str, n: int) -> str:
    from cnn_demo.inspect.patches import statistics_name

    return statistics_name(_network.model, _network.spec, n)


def _file(network: LoadedModel) -> Path:
    n = network.spec.train_size + network.spec.test_size
    return network.folder / "channels" / _name(network, network.key, network.spec.name, n)


def search_statistics(network: LoadedModel, scene: Scene) -> PatchIndex | None:
    """Go through the whole data set once a checkpoint, under the heading of the patches; asks where that is long."""
    if network.photo is not None:
        return None
    scenes.show_block_heading(_("What excites it most"))
    found = load_known_statistics(network)
    if found is not None:
        return found
    from cnn_demo.datasets.download import DatasetUnavailable

    n = network.spec.train_size + network.spec.test_size
    try:
        whole = _both_splits(network.spec.name)
    except DatasetUnavailable:
        st.info(
            _("The data set {name} is not on this machine, so its patches cannot be searched.").format(
                name=names.dataset(network.spec.name)
            )
        )
        return None
    work = n * sum(layer.multiply_adds for layer in scene.layers)
    label = _("Search all {n} images").format(n=f"{n:,}")
    if work > _ASK_FROM and not st.button(
        label,
        icon=":material/search:",
        help=_("Finds what excites every channel most in {dataset}. Takes some {time}; done once a checkpoint.").format(
            dataset=network.spec.name, time=names.duration(work / 2e10)
        ),
    ):
        return None
    from cnn_demo.inspect.patches import channel_statistics, save_statistics

    name = network.spec.name
    words = _("Looking at every image of {dataset}: {done} of {n}")
    bar = st.progress(0.0)

    def progress(done: int, total: int) -> None:
        text = words.format(dataset=name, done=f"{done:,}", n=f"{total:,}")
        bar.progress(done / total, text)

    found = channel_statistics(network.model, whole, network.spec, progress=progress)
    bar.empty()
    try:
        if not network.folder.is_dir():
            return found  # the run was deleted meanwhile: do not bring its folder back
        save_statistics(_file(network), found)
    except OSError as error:
        st.caption(_("The result cannot be kept: {reason}").format(reason=str(error)))
        return found
    return load_known_statistics(network)


@st.cache_resource(show_spinner=False, max_entries=1)
def _both_splits(name: str) -> Any:
    """Both splits of a data set, one behind the other."""
    import torch

    from cnn_demo.datasets.load import load_dataset
    from cnn_demo.datasets.splits import Split

    data = load_dataset(name, download=False)
    return Split(torch.cat([data.train.images, data.test.images]), torch.cat([data.train.labels, data.test.labels]))


def show_kernel(scene: Scene, layer: Layer, channel: int) -> None:
    """The grid of a kernel's slices, for one output channel; of the first layer all kernels as pictures, too."""
    from cnn_demo.plots.tiles import tile_color_kernels, tile_maps

    weight = scene.maps.nodes[layer.name].settings["weight"].detach().numpy()  # (O, I / groups, kh, kw)
    size = " × ".join(map(str, weight.shape[2:]))
    scenes.show_block_heading(_("Kernel"))
    st.html(_STYLE)
    with st.container(key="maps-kernel"):
        if layer.inputs == ("input",) and weight.shape[1] in (1, 3):
            every = (
                tile_color_kernels(weight, width=264)
                if weight.shape[1] == 3
                else tile_maps(weight[:, 0], colors="diverging", width=264)
            )
            st.image(every.enlarged, caption=_("All {n} kernels of {layer}").format(n=len(weight), layer=layer.name))
        one = weight[channel]
        words = (
            _("Channel {channel}: {n} slices of {size}, one for each channel it reads")
            if len(one) > 1
            else _("Channel {channel}: {size}")
        ).format(channel=channel, n=len(one), size=size)
        scale = _("red above zero, blue below, white is zero; ±{limit}").format(limit=f"{np.abs(one).max():.3g}")
        picture = tile_maps(one, colors="diverging", width=264, largest=44)
        st.image(picture.enlarged, caption=f"{words}; {scale}")


def show_patches(network: LoadedModel, layer: Layer, channel: int, found: PatchIndex) -> None:
    """The nine patches, with label and activation, and where small ones lie in their images."""
    from cnn_demo.inspect.patches import group_patches

    part = found.layers[layer.name]
    if part.dead[channel]:
        st.caption(
            _("✕ Dead: {layer} is zero in this channel for all of {n} images.").format(
                layer=part.response, n=f"{found.sample:,}"
            )
        )
    whole = _both_splits(network.spec.name)
    groups = group_patches(part, channel, whole.images, layer.field)
    with st.container(horizontal=True, gap="small", key="maps-patches"):
        for group in groups:
            label = _(network.spec.classes[int(whole.labels[group.images[0]])])
            who = label if len(group.images) == 1 else f"× {len(group.images)}"
            st.image(_patch_picture(group.pixels, group.inside), caption=f"{who} · {group.value:.3g}")
    words = _("Class and activation of {layer}; out of {n} images, cropped to the receptive field of {size} pixels.")
    size = " × ".join(map(str, layer.field.size))
    said = words.format(layer=part.response, n=f"{found.n:,}", size=size)
    if any(len(group.images) > 1 for group in groups):
        said += sentence_gap() + _(
            "Patches that look the same are shown once, with their number: so small a window repeats."
        )
    st.caption(said)
    places = [(number, window) for g in groups for number, window in zip(g.images, g.windows, strict=True)]
    if places and math.prod(layer.field.size) <= math.prod(whole.images.shape[2:]) / 4:
        with st.container(key="maps-patches-places"):
            framed = [_framed_picture(whole.images[number].numpy(), window) for number, window in places]
            st.image(_arrange_pictures(framed), caption=_("Where the patches lie, in the order of their activation"))


def _framed_picture(image: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """``(C, h, w)`` to ``(H, W, 3)`` uint8, enlarged to some 84 pixels, with a frame around a window."""
    picture = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)  # (C, h, w) -> (h, w, 3)
    zoom = max(1, round(84 / max(picture.shape[:2])))
    large = picture.repeat(zoom, 0).repeat(zoom, 1)
    top, left, bottom, right = (max(0, edge * zoom) for edge in window)
    outer, inner = (slice(max(0, top - 2), bottom + 2), slice(max(0, left - 2), right + 2)), (top, bottom, left, right)
    kept = large[inner[0] : inner[1], inner[2] : inner[3]].copy()
    large[outer] = _FRAME
    large[inner[0] : inner[1], inner[2] : inner[3]] = kept
    return large


def _arrange_pictures(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures of one size ``(H, W, 3)`` as three in a row, transparent between them: ``(rows, columns, 4)`` uint8."""
    height, width = pictures[0].shape[:2]
    columns, gap = min(3, len(pictures)), 6
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for place, picture in enumerate(pictures):
        top, left = (place // columns) * (height + gap), (place % columns) * (width + gap)
        sheet[top : top + height, left : left + width, :3] = picture
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet


def _patch_picture(patch: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """``(C, h, w)`` to ``(H, W, 3)`` uint8, enlarged to some 88 pixels; slate blue where the field leaves the image."""
    picture = np.broadcast_to(patch, (3, *patch.shape[1:])).transpose(1, 2, 0).copy()
    picture[~inside] = (71, 85, 122)
    zoom = max(1, round(88 / max(picture.shape[:2])))
    large = picture.repeat(zoom, 0).repeat(zoom, 1)
    return np.pad(large, ((2, 2), (2, 2), (0, 0)), constant_values=128)


def show_class_means(network: LoadedModel, layer: Layer, channel: int, found: PatchIndex) -> None:
    """Mean activation by class as bars."""
    part = found.layers[layer.name]
    classes = scenes.class_names(network)
    values = part.by_class[channel].tolist()
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 12, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": classes},
        "yAxis": {"type": "value", "scale": False},
        "series": [{"type": "bar", "data": [round(v, 6) for v in values], "itemStyle": {"color": TRAIN_COLOR}}],
    }
    scenes.show_block_heading(_("Which classes it fires for"))
    text = ", ".join(f"{name}: {value:.3g}" for name, value in zip(classes, values, strict=True))
    st.echarts_chart(option, key="maps:by-class", height=230, alt=text)
    st.caption(
        _("Mean of {layer} over all units and all images of a class, n = {n}.").format(
            layer=part.response, n=f"{found.n:,}"
        )
    )


def show_activation_maximization(network: LoadedModel, scene: Scene, layer: Layer, channel: int) -> None:
    """Gradient ascent from noise, with live progress; the result stays until another channel is chosen."""
    from cnn_demo.inspect.activation_maximization import Ascent, maximize_activation

    scenes.show_block_heading(_("The image it likes best"))
    if network.photo is not None or network.spec.channels != 1:
        st.caption(_("Only for small grayscale networks."))
        return
    titles = {"channel": _("this channel")}
    titles |= {
        str(i): _("class {name}").format(name=scenes.class_name(network, i)) for i in range(len(network.classes))
    }
    st.session_state.setdefault(_SEED, 0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        goal = st.selectbox(
            _("Excite"), list(titles), key=_GOAL, width=150, format_func=i18n.worded(titles, titles.__getitem__)
        )
        seed = int(st.number_input(_("Seed"), 0, 9999, key=_SEED, width=110))
        run = st.button(
            _("Climb"),
            icon=":material/trending_up:",
            help=_(
                "Starts from noise and changes the pixels so that this channel (or the logit of a class) answers more "
                "and more, held back by jitter, blur, decay and total variation. The same seed gives the same image."
            ),
        )
    target = (layer.name, channel) if goal == "channel" else (scene.layers[-1].name, int(goal))
    which = (network.key, *target, seed)
    place, note = st.empty(), st.empty()
    if run:
        for step in maximize_activation(network.model, network.spec, *target, Ascent(seed=seed)):
            _ascent(place, note, step, goal)
        st.session_state[_BEST_IMAGE] = (which, step)
    elif st.session_state.get(_BEST_IMAGE, (None,))[0] == which:
        _ascent(place, note, st.session_state[_BEST_IMAGE][1], goal)


def _ascent(place: Any, note: Any, step: AscentProgress, goal: str) -> None:
    """The image, and the number that climbs: not a mean, which may fall while the channel answers more strongly."""
    picture = (step.image[0] * 255).round().astype(np.uint8).repeat(6, 0).repeat(6, 1)
    place.image(picture, width=168)
    if goal != "channel":
        words = _("Step {step} of {steps}. Logit of the class: {value}; {start} for the noise at the start.")
    elif step.excitation > 0:
        words = _(
            "Step {step} of {steps}. Strength of the channel: {value}; {start} for the noise at the start. It is the "
            "root mean square of what its map has above zero, and it is what climbs."
        )
    else:
        words = _(
            "Step {step} of {steps}. Nothing in the map is above zero yet; its mean climbs: {value}, {start} for the "
            "noise at the start."
        )
    numbers = {"value": f"{step.excitation:.4g}", "start": f"{step.start:.4g}"}
    note.caption(words.format(step=step.step, steps=step.steps, **numbers))
