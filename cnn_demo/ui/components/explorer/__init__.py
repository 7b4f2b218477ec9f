"""The feature-map explorer: hover a unit and see what it sees, click it and read its arithmetic.

The scene arrives in the browser as bytes (:func:`cnn_demo.inspect.scene.pack_scene`); hovering needs nothing more. A
click is reported as the state value ``pin``, and the server answers with the arithmetic of that unit, in a component of
its own, so that the maps do not travel again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from cnn_demo.ui.components.stage import DRAWING_JS, NUMBERS_CSS, read_files
from cnn_demo.ui.shared.i18n import _

_FOLDER = Path(__file__).resolve().parent


_explorer = st.components.v2.component(
    "cnn_lab_explorer",
    html='<div class="lab"></div>',
    css=read_files(_FOLDER, "lab.css", "explorer.css"),
    js=DRAWING_JS + read_files(_FOLDER, "scene.js", "layer_maps.js", "view.js"),
)
_arithmetic = st.components.v2.component(
    "cnn_lab_arithmetic",
    html='<div class="lab"></div>',
    css=NUMBERS_CSS + read_files(_FOLDER, "lab.css", "arithmetic.css"),
    js=DRAWING_JS + read_files(_FOLDER, "arithmetic.js"),
)


def show_explorer(data: bytes, key: str, on_pin: Callable[[], None]) -> None:
    """Show the explorer; the pinned unit is in ``st.session_state[key]["pin"]``.

    Args:
        data: a packed scene whose header also has ``id``, ``words``, ``classes`` and ``pin``.
        key: of the component.
        on_pin: called when a unit was pinned or let go.
    """
    _explorer(data=data, key=key, default={"pin": None}, on_pin_change=on_pin)


def show_arithmetic(
    trace: dict[str, Any] | None,
    colors: Sequence[Sequence[int]],
    classes: Sequence[str],
    key: str,
    on_drawn: Callable[[], None],
) -> None:
    """Show the arithmetic of the pinned unit; with None an empty place that shows at once which unit gets pinned.

    Args:
        trace: ``Trace.plain()``, with ``features``: whether the unit is in a layer of features; and
            ``token``, the name of a token without a place, if it is a number of one.
        colors: the diverging color map, 256 × RGB.
        classes: names for the softmax.
        key: of the component.
        on_drawn: called when a click was answered with a unit of another channel than the click before.
    """
    data = {"trace": trace, "table": colors, "words": list_words(), "classes": list(classes)}
    _arithmetic(data=data, key=key, default={"drawn": None}, on_drawn_change=on_drawn)


def kind_titles() -> dict[str, str]:
    """Words for the kinds of layers, in the visitor's language."""
    return {
        "input": _("Input"),
        "conv": _("Convolution"),
        "norm": _("Normalization"),
        "activation": _("Activation"),
        "pool": _("Pooling"),
        "linear": _("Linear layer"),
        "attention": _("Attention"),
        "add": _("Residual sum"),
        "product": _("Product"),
        "concat": _("Concatenation"),
        "dropout": _("Dropout"),
        "reshape": _("Reshape"),
        "other": _("Other operation"),
    }


def list_words() -> dict[str, Any]:
    """What the explorer says, in the visitor's language; names in braces are filled in by the browser."""
    return {
        "input": _("Input"),
        "ribbon": _("The layers, from input to output"),
        "kinds": kind_titles(),
        "parameters": _("{n} parameters"),
        "multiply_adds": _("{n} multiply-adds"),
        "sees_regular": _("sees {size}, stride {stride}, from {start}"),
        "sees_all": _("sees {size}"),
        "maps": _("{n} maps of {height} × {width}"),
        "token_maps": _("{n} numbers of each of {height} × {width} tokens"),
        "features": _("{n} features"),
        "stage_label": _(
            "{layer}: {n} maps of {height} × {width}. Arrow keys move within a map, Page Up and Page Down change the "
            "channel, Enter pins the unit, Escape lets it go."
        ),
        "own_scales": _("each channel from 0, or its own smallest value below 0, to its own largest value"),
        "own_scales_signed": _("each channel as far on both sides of zero as its own largest magnitude; white is zero"),
        "dead": _("✕ {n} dead (zero on the whole sample)"),
        "silent": _("○ {n} silent (zero for this image)"),
        "is_dead": _("This channel is dead: zero for every image of the sample."),
        "is_silent": _("This channel is silent: zero everywhere for this image."),
        "hint": _(
            "Point at a unit in a map to see where its number comes from. Click to pin it and read the arithmetic."
        ),
        "unit": _("{layer} · channel {channel} · row {y}, column {x}"),
        "feature": _("{layer} · feature {channel}{name}"),
        "unit_short": _("{layer}, channel {channel}, {place}"),
        "feature_short": _("{layer}, feature {n}"),
        "sees": _("Sees rows {top} to {bottom}, columns {left} to {right} of the input."),
        "reads_many": _("Reads {size} values in each of {n} channels of {layer}."),
        "reads_one": _("Reads {size} values of {layer}, in one channel."),
        "reads_title": _("What it reads: {layer}"),
        "title_unit": _("{layer}, channel {channel}, unit {place}: {value}"),
        "title_token": _("{layer}, channel {channel}, {token}: {value}"),
        "title_feature": _("{layer}, feature {channel}: {value}"),
        "close": _("Let the unit go"),
        "learnt": _("What this channel has learnt ↓"),
        "check": _("PyTorch has {value} · difference {difference}"),
        "conv": _(
            "Cross-correlation: a {kernel} patch in each of {n} channels of {layer}, first value at {place}, times the "
            "kernel, value by value."
        ),
        "conv_one": _(
            "Cross-correlation: a {kernel} patch of {layer}, first value at {place}, times the kernel, value by value."
        ),
        "padding": _("Hatched: {n} of {all} places lie in the padding around the map, whose zeros are no data."),
        "padding_cell": _("padding"),
        "from_channel": _("{layer}, channel {channel}"),
        "other_channels": _("These {shown} weigh most; the other {n} channels sum to {sum}."),
        "all_channels": _("Show all {n}"),
        "conv_sum": _("sum over channels {sum} + bias {bias}"),
        "norm": _("({input} − mean {mean}) / √(variance {variance} + {eps}) × weight {weight} + bias {bias}"),
        "length": _("{input} / √(sum of the squares of all {n} numbers) = {input} / {length}"),
        "max_pool": _("The largest of the window wins: row {row}, column {column} of it."),
        "avg_pool": _("The sum of the window, divided by {n}."),
        "linear": _("The {n} largest of {all} contributions: input × weight."),
        "col_input": _("Input"),
        "col_value": _("Value"),
        "col_weight": _("Weight"),
        "col_product": _("Product"),
        "others": _("the other {n} together"),
        "bias": _("bias"),
        "softmax": _(
            "Softmax: subtract the largest logit ({largest}), take e to the power of each, divide by their sum "
            "({total})."
        ),
        "col_class": _("Class"),
        "col_logit": _("Logit"),
        "col_shifted": _("− largest"),
        "col_exp": "exp",
        "col_probability": _("Probability"),
        "dot": _("The {n} largest of {all} products of a row of {left} with a column of {right}."),
        "attention": _(
            "Softmax over the scores of one token with all {all} tokens: subtract the largest ({largest}), take e to "
            "the power of each, divide by their sum ({total}). The {n} largest weights:"
        ),
        "token": _("token ({y}, {x})"),
        "class_token": _("class token"),
        "col_token": _("Token"),
        "col_number": _("Number"),
        "col_query": _("Query"),
        "col_key": _("Key"),
        "col_score": _("Score"),
        "copied": _("Taken over unchanged from {unit}."),
        "whole_step": _("This operation is not taken apart."),
    }
