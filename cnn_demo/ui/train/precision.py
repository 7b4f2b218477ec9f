"""The precision in the form: said for what it is on the chosen device, and refused where the device lacks it."""

from __future__ import annotations

import streamlit as st

from cnn_demo.locales import N_
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.description import Setting
from cnn_demo.settings.precision import refuse_precision
from cnn_demo.ui.shared import machine, names
from cnn_demo.ui.shared.i18n import _

_SLOW = {"bf16": N_("bf16: not faster on this device"), "fp16": N_("fp16: not faster on this device")}
_NONE = {"bf16": N_("bf16: not on this device"), "fp16": N_("fp16: not on this device")}
# What a precision means on a device, by precision and arithmetic.
_NOTES = {
    ("tf32", "fast"): N_(
        "This GPU multiplies fp32 in TF32: the range of fp32, factors rounded to 11 bits instead of 24, sums in fp32."
    ),
    ("bf16", "fast"): N_(
        "This device has arithmetic for bf16: the range of fp32, factors rounded to 8 bits instead of 24. The weights "
        "stay in fp32."
    ),
    ("bf16", "slow"): N_(
        "This device has no arithmetic of its own for bf16, so nothing gets faster. It still shows what rounding to 8 "
        "bits does to a training."
    ),
    ("fp16", "fast"): N_(
        "This GPU has arithmetic for fp16: factors rounded to 11 bits, none above 65,504. The loss is scaled, so that "
        "small gradients do not become 0. The weights stay in fp32."
    ),
    ("fp16", "slow"): N_(
        "This GPU has no fast arithmetic for fp16, so little or nothing gets faster. It still shows what rounding to "
        "11 bits does to a training."
    ),
}


def find_device(name: str) -> machine.Device | None:
    """The device that a name means, the preferred one for ``auto``; None until the machine has answered."""
    answer = machine.probe().answer
    devices = answer.devices if answer else ()
    if name in ("auto", "cuda"):
        return next((device for device in devices if name == "auto" or device.kind == "cuda"), None)
    return next((device for device in devices if device.name == name), None)


def list_precisions(setting: Setting, device: machine.Device | None) -> dict[str, str]:
    """The precisions with their English titles; one that is no gain on the device says so."""
    titles = {entry.name: entry.title for entry in setting.kind.entries()}  # type: ignore[attr-defined]
    arithmetic = device.arithmetic if device else {}
    for words, how in ((_SLOW, "slow"), (_NONE, "none")):
        titles |= {name: title for name, title in words.items() if arithmetic.get(name) == how}
    return titles


def show_precision_note(precision: str, device: machine.Device | None) -> None:
    """Under the field: what the precision is on the device, or why it cannot be had there."""
    if device is None:
        return
    try:
        refuse_precision(precision, device.kind, device.arithmetic)
    except ConfigError as error:
        st.caption(f":red[{names.config_error(error)}]")
        return
    kind = "tf32" if precision == "fp32" else precision
    note = _NOTES.get((kind, device.arithmetic.get(kind, "")))
    if note:
        st.caption(_(note))


def check_precision_here(config: TrainConfig) -> None:
    """Refuse a precision that the device of a run cannot compute, as far as this machine is known.

    Raises:
        ConfigError: it cannot.
    """
    device = find_device(config.device)
    if device is not None:
        refuse_precision(config.precision, device.kind, device.arithmetic)
