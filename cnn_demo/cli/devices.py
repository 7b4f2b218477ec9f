"""What this machine can train on, told by a short-lived process: ``python -m cnn_demo.cli.devices``.

Asking needs torch. In a process of its own the answer costs the server neither the seconds nor the memory of
importing it.
"""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

import psutil


def describe_devices() -> dict[str, Any]:
    """The devices that PyTorch can use here, the preferred one first, with sizes in bytes, as plain data."""
    import torch

    from cnn_demo.training.device import available_devices

    memory = psutil.virtual_memory()
    devices = []
    for name in available_devices():
        total, free, title = memory.total, memory.available, _processor()
        if name.startswith("cuda"):
            free, total = torch.cuda.mem_get_info(name)
            title = torch.cuda.get_device_name(name)
        elif name == "mps":
            title = f"{_processor()} (Metal)"
        devices.append({"name": name, "title": title, "memory_bytes": total, "free_bytes": free})
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


if __name__ == "__main__":
    print(json.dumps(describe_devices()))
