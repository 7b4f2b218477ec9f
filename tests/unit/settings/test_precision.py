"""What a device cannot compute is refused with what it can."""

from __future__ import annotations

import pytest

from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.errors import ConfigError
from cnn_demo.settings.precision import Arithmetic, refuse_precision, suit_precision

CPU: dict[str, Arithmetic] = {"fp32": "fast", "bf16": "slow", "fp16": "none"}


def test_a_device_is_asked_for_what_it_has_only() -> None:
    for precision in ("fp32", "bf16"):
        refuse_precision(precision, "cpu", CPU)
    refuse_precision("fp16", "cuda", {"fp16": "slow"})
    refuse_precision("fp16", "cpu", {})  # nothing is known of it yet


@pytest.mark.parametrize(
    ("precision", "device", "words"), [("fp16", "cpu", "fp32 or bf16 on cpu"), ("bf16", "cuda", "fp32 or fp16")]
)
def test_the_error_names_what_can_be_used(precision: str, device: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        refuse_precision(precision, device, {precision: "none"})
    assert (caught.value.field, caught.value.value) == ("precision", precision)


def test_a_preset_does_not_train_in_a_precision_that_is_no_gain() -> None:
    mixed = TrainConfig(precision="bf16", seed=3)
    assert suit_precision(mixed, CPU) == TrainConfig(precision="fp32", seed=3)
    assert suit_precision(mixed, {"bf16": "fast"}) is mixed
    assert suit_precision(mixed, {}).precision == "fp32"  # nothing is known of the device yet
