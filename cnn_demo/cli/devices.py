"""``python -m cnn_demo devices``: what this machine can train on.

Asking needs torch. The app asks by this command, in a process of its own, so that the answer costs the server neither
the seconds nor the memory of importing it.
"""

from __future__ import annotations

import argparse
import platform
import sys
from typing import Any

import psutil

from cnn_demo.cli.output import add_json_option, give


def add_parser(subparsers: Any) -> None:
    """Add ``devices``."""
    parser = subparsers.add_parser(
        "devices", help="what this machine can train on", description="What this machine can train on."
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """List the devices, the preferred one first."""
    found = describe_devices()
    if args.json:
        give(found)
        return 0
    for device in found["devices"]:
        fast = ", ".join(name for name, how in device["arithmetic"].items() if how == "fast")
        print(f"{device['name']:8} {device['memory_bytes'] / 2**30:6.1f} GiB  {device['title']}; arithmetic: {fast}")
    return 0


def describe_devices() -> dict[str, Any]:
    """The devices that PyTorch can use here, the preferred one first, with sizes in bytes, as plain data."""
    import torch

    from cnn_demo.training.device import available_devices, find_arithmetic

    memory = psutil.virtual_memory()
    devices = []
    for name in available_devices():
        total, free, title = memory.total, memory.available, _processor()
        if name.startswith("cuda"):
            free, total = torch.cuda.mem_get_info(name)
            title = torch.cuda.get_device_name(name)
        elif name == "mps":
            title = f"{_processor()} (Metal)"
        arithmetic = find_arithmetic(torch.device(name))
        devices.append(
            {"name": name, "title": title, "memory_bytes": total, "free_bytes": free, "arithmetic": arithmetic}
        )
    return {
        "devices": devices,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    """The processor's name and its number of cores as this process may use them."""
    name = platform.processor() or platform.machine()
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as file:
                named = (line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
                name = next(named, name)
        except OSError:
            pass
    return f"{name}, {psutil.cpu_count(logical=True)} × CPU"
