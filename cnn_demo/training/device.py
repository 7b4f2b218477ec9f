"""Where and how the arithmetic runs: device, precision, memory."""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache

import psutil
import torch

from cnn_demo.locales import N_
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.precision import Arithmetic, refuse_precision

# Arithmetic for bf16: two extensions of x86, one of ARM.
_BF16_FLAGS = frozenset(("avx512_bf16", "amx_bf16", "bf16"))
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def available_devices() -> list[str]:
    """Names of the devices of this machine, the preferred one first: ``cuda:N``…, ``mps``, ``cpu``."""
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cuda``, ``cuda:N``, ``mps`` or ``cpu`` into a device that this machine has.

    Raises:
        ConfigError: the device is not here; the message lists those that are.
    """
    here = available_devices()
    wanted = here[0] if name == "auto" else "cuda:0" if name == "cuda" else name
    if wanted not in here:
        raise ConfigError("device", name, N_("a device of this machine: {names}"), names=", ".join(["auto", *here]))
    return torch.device(wanted)


def prepare_device(config: TrainConfig) -> torch.device:
    """The device of a run, with the settings that make it fast.

    Raises:
        ConfigError: this machine does not have the device, or the device cannot compute in the precision.
    """
    device = resolve_device(config.device)
    check_precision(config, device)
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    return device


def check_precision(config: TrainConfig, device: torch.device) -> None:
    """Refuse a precision that the device cannot compute.

    Raises:
        ConfigError: fp16 anywhere but on CUDA, or bf16 on a GPU without it.
    """
    refuse_precision(config.precision, device.type, find_arithmetic(device))


def find_arithmetic(device: torch.device) -> dict[str, Arithmetic]:
    """How a device computes in each precision, and whether it multiplies fp32 in ``tf32``.

    NVIDIA's tensor cores compute fp16 from Volta (7.0) on, bf16 and TF32 from Ampere (8.0) on. MPS promises no gain.
    """
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        emulated: Arithmetic = "slow" if torch.cuda.is_bf16_supported() else "none"
        return {
            "fp32": "fast",
            "tf32": "fast" if capability >= (8, 0) else "none",
            "bf16": "fast" if capability >= (8, 0) else emulated,
            "fp16": "fast" if capability >= (7, 0) else "slow",
        }
    has_bf16 = device.type == "cpu" and bool(_BF16_FLAGS & read_processor_flags())
    return {"fp32": "fast", "tf32": "none", "bf16": "fast" if has_bf16 else "slow", "fp16": "none"}


@cache
def read_processor_flags() -> frozenset[str]:
    """What the processor can do, in the words of Linux; empty on other systems, so nothing is promised there."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = (line.partition(":")[2] for line in file if line.startswith(("flags", "Features")))
            return frozenset(next(found, "").split())
    except OSError:
        return frozenset()


def autocast_dtype(precision: str) -> torch.dtype | None:
    """The reduced type of an autocast region, or None for plain fp32."""
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def memory_in_use(device: torch.device) -> int:
    """Bytes that training holds: allocated tensors on CUDA and MPS, resident memory of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    return int(psutil.Process().memory_info().rss)


@cache
def keep_freed_memory() -> bool:
    """Ask glibc to keep freed blocks instead of handing them back to the system.

    Activations of a batch are tens of megabytes. By default glibc gets each from ``mmap`` and returns it at once, so
    that every step pays for the page faults again: on two CPU cores that is a third of a step. Holds for the whole
    process; its memory stays at the peak.

    Returns:
        Whether the setting took effect (False on other C libraries).
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory for tensors ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )
