"""What 8 bits do: the error layer by layer, and one number of the network on its way to a whole number and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import streamlit as st

from cnn_demo.export.formats import METHOD
from cnn_demo.settings.description import Choice
from cnn_demo.ui.shared.i18n import _


def show_int8(made: dict[str, Any]) -> None:
    """The section below the files.

    Args:
        made: the entry of the format in the JSON of the command line.
    """
    layers = made.get("layers")
    if layers:
        with st.expander(_("8 bits, layer by layer: which one suffers"), icon=":material/stacked_bar_chart:"):
            noise = _("Signal to noise, dB")
            rows = [
                {_("Layer"): row["layer"], _("Operator"): row["operator"], noise: f"{row['decibels']:.1f}"}
                for row in layers
            ]
            st.dataframe(rows, hide_index=True)
            st.caption(
                _(
                    "20 dB is an error of a tenth, 40 dB of a hundredth; all that lies before a layer is quantized "
                    "too. A layer that suffers most can be kept in full precision: name it above and make the file "
                    "again."
                )
            )
    if made.get("calibrations"):
        with st.expander(_("Calibration images and method against accuracy"), icon=":material/show_chart:"):
            _show_calibrations(made["calibrations"])
    with st.expander(_("One number in 8 bits: scale, zero point, rounding"), icon=":material/straighten:"):
        _show_rounding(Path(made["path"]))


def _show_calibrations(outcomes: list[dict[str, Any]]) -> None:
    full, *others = outcomes
    titles = {entry.name: _(entry.title) for entry in METHOD.kind.entries()} if isinstance(METHOD.kind, Choice) else {}
    left, right = st.columns(2)
    with left:
        st.markdown(_("**Accuracy** on training images that were not used, in %"))
        values = [(row["method"], row["images"], 100 * row["correct"] / row["n"]) for row in others]
        _draw_lines(values, titles, "export:accuracy", level=100 * full["correct"] / full["n"])
    with right:
        st.markdown(_("**Mean difference** of a logit from PyTorch's"))
        values = [(row["method"], row["images"], row["difference"]) for row in others]
        _draw_lines(values, titles, "export:difference", level=None)
    st.caption(
        _(
            "n = {n} training images, of which no range was found; the test images decide nothing here. Across: "
            "calibration images. Dashed: fp32. Where two curves are one, both methods found the same ranges."
        ).format(n=f"{full['n']:,}")
    )


def _draw_lines(values: list[tuple[str, int, float]], titles: dict[str, str], key: str, *, level: float | None) -> None:
    """One line a method over the number of calibration images."""
    counts = sorted({count for _method, count, _value in values})
    series: list[dict[str, Any]] = []
    for number, (method, title) in enumerate(titles.items()):
        line = [round(value, 4) for name, _count, value in values if name == method]
        style = {"type": ("solid", "dashed", "dotted")[number % 3], "width": 2}
        series.append({"type": "line", "name": title, "data": line, "lineStyle": style, "symbolSize": 7})
    if level is not None:
        mark = {"silent": True, "symbol": "none", "label": {"formatter": "fp32"}, "data": [{"yAxis": round(level, 4)}]}
        series[0]["markLine"] = mark
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 40, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"top": 0},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": [f"{count:,}" for count in counts]},
        "yAxis": _choose_axis([value for _method, _count, value in values], level),
        "series": series,
    }
    text = "; ".join(f"{titles.get(method, method)}, {count}: {value:.4g}" for method, count, value in values)
    st.echarts_chart(option, key=key, height=260, alt=text)


def _choose_axis(values: list[float], level: float | None) -> dict[str, Any]:
    """Accuracies end at 100; half a point is the least that is shown, so that noise does not look like a cliff."""
    if level is None:
        return {"type": "value", "scale": True}
    return {"type": "value", "max": 100, "min": math.floor(2 * min(level, *values)) / 2 - 0.5}


def _show_rounding(path: Path) -> None:
    from cnn_demo.export.quantized_values import list_quantized_tensors, round_value

    tensors = {tensor.name: tensor for tensor in list_quantized_tensors(path)}
    if not tensors:
        st.caption(_("This file quantizes nothing beforehand."))
        return
    left, middle, right = st.columns(3)
    name = left.selectbox(_("Weights or activations"), list(tensors), key="export:tensor")
    tensor = tensors[name]
    channels = len(tensor.scale)
    channel = middle.number_input(_("Channel"), 0, channels - 1, 0, key="export:tensor-channel") if channels > 1 else 0
    value = right.number_input(_("Value"), value=0.1, step=0.01, format="%.4f", key="export:tensor-value")
    found = round_value(tensor, value, int(channel))
    scale, zero, q = f"{found.scale:.4g}", found.zero_point, found.quantized
    st.latex(
        rf"q = \text{{clip}}\left(\text{{round}}\left(\frac{{{value:.4g}}}{{{scale}}}\right) + ({zero})\right) = {q}, "
        rf"\qquad ({q} - ({zero})) \cdot {scale} = {found.back:.4g}"
    )
    words = _("Error {error}. One step of this tensor is {scale}; a number beyond the range is cut off.")
    st.caption(words.format(error=f"{found.error:.3g}", scale=f"{found.scale:.4g}"))
