"""What 8 bits do: the error layer by layer, and one number of the network on its way to a whole number and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

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
    with st.expander(_("One number in 8 bits: scale, zero point, rounding"), icon=":material/straighten:"):
        _show_rounding(Path(made["path"]))


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
    value = right.number_input(_("Number"), value=0.1, step=0.01, format="%.4f", key="export:tensor-value")
    found = round_value(tensor, value, int(channel))
    scale, zero, q = f"{found.scale:.4g}", found.zero_point, found.quantized
    st.latex(
        rf"q = \text{{clip}}\left(\text{{round}}\left(\frac{{{value:.4g}}}{{{scale}}}\right) + ({zero})\right) = {q}, "
        rf"\qquad ({q} - ({zero})) \cdot {scale} = {found.back:.4g}"
    )
    words = _("Error {error}. One step of this tensor is {scale}; a number beyond the range is cut off.")
    st.caption(words.format(error=f"{found.error:.3g}", scale=f"{found.scale:.4g}"))
