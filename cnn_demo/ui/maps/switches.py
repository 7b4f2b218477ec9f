"""Channels switched off: what the network can no longer do."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnn_demo.prediction.wording import percent
from cnn_demo.ui.maps import scenes
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.samples import load_samples
from cnn_demo.ui.shared.theme import MARK_COLOR, TEST_COLOR

if TYPE_CHECKING:
    from torch import Tensor

    from cnn_demo.inspect.ablate import Ablation, ClassAccuracy
    from cnn_demo.inspect.architecture import Layer
    from cnn_demo.inspect.scene import Scene
    from cnn_demo.prediction.load import LoadedModel

_OFF, _AWAKE = "maps:off", "maps:switches"


def show_switches(network: LoadedModel, scene: Scene, layer: Layer, channel: int) -> None:
    """The switches and their consequences, for one convolution at a time."""
    scenes.show_block_heading(_("Switch channels off"))
    if network.photo is not None:
        st.caption(_("Only for networks whose test images are on this machine."))
        return
    from cnn_demo.datasets.download import DatasetUnavailable

    try:
        split, _by_class = load_samples(network.spec.name)
    except DatasetUnavailable:
        st.caption(_("Only for networks whose test images are on this machine."))
        return
    if not st.toggle(_("Try it on {layer}").format(layer=layer.name), key=_AWAKE):
        return
    key = f"{_OFF}:{network.key}:{layer.name}"
    with st.container(horizontal=True):
        st.button(
            _("Switch channel {n} off").format(n=channel),
            on_click=_toggle,
            args=(key, channel),
            disabled=channel in st.session_state.get(key, []),
        )
        st.button(_("All on"), on_click=_toggle, args=(key, None), disabled=not st.session_state.get(key))
    off = st.multiselect(
        _("Switched off"),
        range(layer.channels),
        key=key,
        placeholder=_("none"),
        help=_("A channel that is off answers zero everywhere, behind its norm, activation and pooling."),
    )
    with st.spinner(_("Measuring…")):
        ablation = _ablation(network, network.key, layer.name, split)
        now = ablation.accuracy(off)
        logits = ablation.logits(scene.maps["input"], off)
    _accuracy(network, ablation, now)
    _prediction(network, scene, logits)


def _toggle(key: str, channel: int | None) -> None:
    st.session_state[key] = [] if channel is None else sorted({*st.session_state.get(key, []), channel})


@st.cache_resource(show_spinner=False, max_entries=2)
def _ablation(_network: LoadedModel, key: str, layer: str, _split: Any) -> Ablation:
    from cnn_demo.inspect.ablate import Ablation

    return Ablation(_network.model, _split, _network.spec, layer, budget=128 * 2**20)


def _accuracy(network: LoadedModel, ablation: Ablation, now: ClassAccuracy) -> None:
    before = ablation.baseline
    change = round((now.overall - before.overall) * 100, 2)
    st.metric(
        _("Accuracy on {n} test images of {dataset}").format(n=f"{ablation.n:,}", dataset=network.spec.name),
        f"{now.overall:.2%}",
        _("{change} percentage points").format(change=f"{change:+.2f}") if change else _("unchanged"),
        delta_color="normal" if change else "off",
        delta_arrow="auto" if change else "off",
    )
    classes = scenes.class_names(network)
    series = [
        {"name": title, "type": "bar", "data": _percent(part), "itemStyle": {"color": color}}
        for title, part, color in ((_("All on"), before, MARK_COLOR), (_("Now"), now, TEST_COLOR))
    ]
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "data": [_("All on"), _("Now")]},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": classes},
        "yAxis": {"type": "value", "max": 100, "axisLabel": {"formatter": "{value}%"}},
        "series": series,
    }
    alt = ", ".join(f"{name}: {value}%" for name, value in zip(classes, _percent(now), strict=True))
    st.echarts_chart(option, key="maps:switched", height=240, alt=alt)


def _percent(part: ClassAccuracy) -> list[float]:
    return [round(float(value) * 100, 2) for value in np.nan_to_num(part.by_class)]


def _prediction(network: LoadedModel, scene: Scene, logits: Tensor) -> None:
    before = scenes.calibrated(network, scene.maps[scene.layers[-1].name])
    now = scenes.calibrated(network, logits)
    old, new = int(before.argmax()), int(now.argmax())
    words = _("This image: **{old}** {old_share} with all channels, **{new}** {new_share} now.")
    st.markdown(
        words.format(
            old=scenes.class_name(network, old),
            old_share=escape(percent(float(before[old]))),
            new=scenes.class_name(network, new),
            new_share=escape(percent(float(now[new]))),
        )
    )
