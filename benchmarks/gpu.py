"""Everything that only a GPU can show, in one command: ``python -m benchmarks.gpu`` (``make gpu``).

Each check runs in a process of its own, so that one that breaks the device breaks no other, and the whole takes at
most ten minutes. The results are kept as JSON and printed as a table for ``benchmarks/README.md``. With
``--device cpu`` the same code is rehearsed where there is no GPU: smaller, with the memory's end pretended, and without
targets of speed. Needs only torch and the light dependencies of the core; a check that needs more says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WHOLE = 600  # seconds for all checks together


def describe_machine(device: str) -> dict[str, Any]:
    """What has a say in the figures."""
    import torch

    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    return {
        "device": device,
        "gpu": gpu,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
    }


def run_one(name: str, device: str) -> None:
    """Run a check in this process; the last line that is printed is its outcome as JSON."""
    from benchmarks.gpu_checks import CHECKS, Outcome

    try:
        outcome = CHECKS[name][0](device)
    except Exception as error:
        outcome = Outcome("FAILED", f"{type(error).__name__}: {error}"[:300], {"traceback": traceback.format_exc()})
    print(json.dumps(asdict(outcome)))


def run_apart(name: str, device: str, seconds: float) -> dict[str, Any]:
    """Run a check in a process of its own for at most so many seconds."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--only", name, "--device", device, "--here"]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
        result = dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except subprocess.TimeoutExpired:
        result = {"status": "FAILED", "figure": f"given up after {seconds:.0f} s", "data": {}}
    except (ValueError, IndexError):
        result = {"status": "FAILED", "figure": "the process died", "data": {"errors": done.stderr[-2000:]}}
    return {"check": name, **result, "seconds": round(time.perf_counter() - began, 1)}


def table(machine: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """The results for ``benchmarks/README.md``."""
    where = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores: a rehearsal"
    lines = [
        f"`make gpu` on {where}, torch {machine['torch']}, CUDA {machine['cuda']}, Python {machine['python']}, "
        f"{machine['date']}.",
        "",
        "| check | | figure | took |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {r['check']} | {r['status']} | {r['figure']} | {r['seconds']:.0f} s |" for r in results]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the checks; gives 0 where none failed or missed its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu for a rehearsal (default: cuda:0)")
    parser.add_argument("--only", metavar="CHECK", action="append", help="this check, may be given several times")
    parser.add_argument("--json", type=Path, default=Path("build/gpu.json"), help="where the results are kept")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    import torch

    from benchmarks.gpu_checks import CHECKS

    if args.only and (strange := [name for name in args.only if name not in CHECKS]):
        parser.error(f"no check named {', '.join(strange)}; there are: {', '.join(CHECKS)}")
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        print("error: this machine has no CUDA device; --device cpu rehearses the checks without one", file=sys.stderr)
        return 2
    if args.here:
        run_one(args.only[0], args.device)
        return 0
    machine, began, results = describe_machine(args.device), time.perf_counter(), []
    for name, (_check, most) in CHECKS.items():
        if args.only and name not in args.only:
            continue
        left = WHOLE - (time.perf_counter() - began)
        if left < 5:
            result = {"check": name, "status": "FAILED", "figure": "no time was left", "data": {}, "seconds": 0.0}
        else:
            result = run_apart(name, args.device, min(most, left))
        results.append(result)
        print(f"{result['status']:9} {name}: {result['figure']} ({result['seconds']:.0f} s)", flush=True)
        # After each check, so that what was found is kept whatever happens to the machine.
        args.json.parent.mkdir(parents=True, exist_ok=True)
        kept = {"machine": machine, "seconds": round(time.perf_counter() - began, 1), "results": results}
        args.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(f"\n{table(machine, results)}\n\nkept in {args.json}, {time.perf_counter() - began:.0f} s in all")
    return int(any(result["status"] in ("MISSED", "FAILED") for result in results))


if __name__ == "__main__":
    sys.exit(main())
