"""What devices can compute: the flags of processors and the generations of GPUs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training import device
from cnn_demo.training.device import check_precision, find_arithmetic


@pytest.mark.parametrize(
    ("flags", "bf16"),
    [
        ({"avx2", "avx512_bf16"}, "fast"),
        ({"amx_bf16", "amx_tile"}, "fast"),
        ({"asimd", "bf16"}, "fast"),
        ({"avx2", "avx512f", "avx512_vnni"}, "slow"),
        (set(), "slow"),
    ],
)
def test_a_processor_has_bf16_by_its_flags_and_never_fp16(
    flags: set[str], bf16: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "read_processor_flags", lambda: frozenset(flags))
    assert find_arithmetic(torch.device("cpu")) == {"fp32": "fast", "tf32": "none", "bf16": bf16, "fp16": "none"}


@pytest.mark.parametrize(
    ("capability", "emulates", "wanted"),
    [
        ((6, 1), False, ("none", "none", "slow")),
        ((7, 5), True, ("none", "slow", "fast")),
        ((8, 0), True, ("fast", "fast", "fast")),
        ((9, 0), True, ("fast", "fast", "fast")),
    ],
)
def test_a_gpu_has_them_by_its_generation(
    capability: tuple[int, int], emulates: bool, wanted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: emulates)
    found = find_arithmetic(torch.device("cuda", 0))
    assert (found["tf32"], found["bf16"], found["fp16"]) == wanted


def test_flags_are_those_of_the_first_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    text = "model name\t: X\nflags\t\t: fpu avx512_bf16\n\nflags\t\t: other\n"
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    monkeypatch.setattr(device, "open", lambda _name, **options: path.open(**options), raising=False)
    assert device.read_processor_flags.__wrapped__() == {"fpu", "avx512_bf16"}
    path.unlink()
    assert device.read_processor_flags.__wrapped__() == frozenset()


def test_half_precision_on_a_processor_is_refused() -> None:
    check_precision(TrainConfig(precision="bf16"), torch.device("cpu"))
    with pytest.raises(ConfigError, match="fp16 needs CUDA"):
        check_precision(TrainConfig(precision="fp16"), torch.device("cpu"))
