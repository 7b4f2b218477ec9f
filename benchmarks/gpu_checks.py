"""The checks of ``benchmarks.gpu``: what only a GPU can show, each small enough to be rehearsed on the CPU.

A check takes the device and gives a :class:`Outcome`. It needs torch and the light dependencies of the core only; one
that needs more says what is missing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu_outcome import Outcome, cut, is_cuda, wait
from benchmarks.gpu_speed import compare_with_tutorial, compile_with_graphs, race, try_tensorrt
from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training import trainer as trainer_module
from cnn_demo.training.errors import OutOfMemory
from cnn_demo.training.events import CheckpointDue, EpochEnd, Snapshot
from cnn_demo.training.loop import fit
from cnn_demo.training.snapshot import load_snapshot, save_checkpoint
from cnn_demo.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
# How far a loss may lie from the CPU's in fp32, as a share of it: TF32 keeps 10 bits of the mantissa, bfloat16 keeps 7.
_TOLERANCE = {"fp32": 0.01, "fp16": 0.03, "bf16": 0.05}


# -- the tests ---------------------------------------------------------------------------------------------------------


def run_marked_tests(device: str) -> Outcome:
    """The tests marked ``cuda``."""
    if importlib.util.find_spec("pytest") is None:
        return Outcome("not here", "pytest is not installed")
    # Their files only: others need more than the core to be imported.
    files = [
        path for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py")) if "mark.cuda" in path.read_text("utf-8")
    ]
    command = [sys.executable, "-m", "pytest", "-m", "cuda", "-p", "no:cacheprovider", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    last = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), done.stderr[-200:])
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}
    data = {"counts": counts, "output": done.stdout[-3000:] if done.returncode else ""}
    if counts.get("failed") or counts.get("error") or done.returncode not in (0, 5):
        return Outcome("FAILED", last, data)
    enough = counts.get("passed", 0) > 0 if is_cuda(device) else counts.get("skipped", 0) > 0
    return Outcome("reached" if enough else "MISSED", last.strip("= "), data)


# -- losses ------------------------------------------------------------------------------------------------------------


def train_on_one_batch(config: TrainConfig, data: Dataset, steps: int) -> list[float]:
    """The losses of steps on the same samples. Dropout is off: each device has random numbers of its own."""
    trainer = Trainer(config, data)
    for module in trainer.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    index = torch.arange(config.batch_size, device=trainer.index_device)
    losses = [trainer.step(number, index, config.lr, number)[0] for number in range(1, steps + 1)]
    return [float(loss) for loss in torch.stack(losses).cpu()]


def compare_losses(device: str) -> Outcome:
    """Every architecture for some steps in fp32, fp16 and bf16, against the CPU's losses in fp32."""
    batch, steps = (64, 10) if is_cuda(device) else (8, 3)
    data = cut(load_dataset("mnist-mini"), batch)
    worst, problems, table = 0.0, [], {}
    for entry in MODELS:
        base = TrainConfig(model=entry.name, device="cpu", batch_size=batch, lr=2e-4, compile="off")
        try:
            expected = train_on_one_batch(base, data, steps)
        except ImportError as error:
            table[entry.name] = {"not here": str(error)}
            continue
        rows: dict[str, Any] = {"cpu": expected}
        for precision, tolerance in _TOLERANCE.items():
            try:
                losses = train_on_one_batch(base.replace(device=device, precision=precision), data, steps)
            except ConfigError as error:  # fp16 on the CPU, bf16 on an old GPU: refused in words
                rows[precision] = {"refused": str(error)}
                if is_cuda(device) and precision != "bf16":
                    problems.append(f"{entry.name} {precision} refused")
                continue
            off = abs(losses[0] - expected[0]) / expected[0]
            rows[precision] = {"losses": losses, "first_off_by": off}
            worst = max(worst, off / tolerance)
            if off > tolerance:
                problems.append(f"{entry.name} {precision} off by {off:.2g}")
            if not all(map(math.isfinite, losses)) or min(losses[1:]) >= losses[0]:
                problems.append(f"{entry.name} {precision} does not learn: {losses}")
        table[entry.name] = rows
    figure = f"{len(table)} models, {steps} steps; first loss at most {worst:.2f} of the tolerance off"
    return Outcome("MISSED" if problems else "reached", "; ".join([figure, *problems]), {"models": table})


# -- resume ------------------------------------------------------------------------------------------------------------


def resume_from_disk(device: str) -> Outcome:
    """A run that goes on from a checkpoint on disk ends as the whole run did."""
    data = cut(load_dataset("mnist-mini"), 600)
    precisions = ("fp32", "fp16", "bf16") if is_cuda(device) else ("fp32",)
    apart, exact = {}, True
    for precision in precisions:
        config = TrainConfig(
            model="resnet-small", epochs=2, batch_size=100, ema=0.9, device=device, precision=precision, compile="off"
        )
        with tempfile.TemporaryDirectory() as folder:
            ends: list[dict[str, Tensor]] = []
            resume: Snapshot | None = None
            for _ in ("whole", "resumed"):
                for event in fit(config, dataset=data, resume=resume, checkpoint_steps=(8,)):
                    if isinstance(event, CheckpointDue):
                        snapshot = event.capture()
                        if event.step == 8 and resume is None:
                            saved = save_checkpoint(Path(folder), snapshot)
                ends.append({name: value.detach().cpu().clone() for name, value in snapshot.weights.items()})
                resume = load_snapshot(saved)
        exact = exact and all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
        apart[precision] = max(float((v.double() - ends[1][name].double()).abs().max()) for name, v in ends[0].items())
    good = exact or (is_cuda(device) and max(apart.values()) < 1e-2)
    words = "bit for bit" if exact else f"apart by at most {max(apart.values()):.2g}"
    return Outcome("reached" if good else "MISSED", f"{', '.join(precisions)}: {words}", {"largest difference": apart})


# -- memory ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def little_memory(device: str) -> Iterator[str]:
    """A device with 2 GiB for us. On the CPU batches above 64 are refused by hand, for real memory is everybody's."""
    if is_cuda(device):
        torch.cuda.empty_cache()
        share = 2 * 2**30 / torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, share), device)
        try:
            yield "a real batch, 2 GiB allowed"
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
        return
    step = trainer_module.Trainer.step

    def refuse(self: Trainer, number: int, index: Tensor, lr: float, seed: int) -> tuple[Tensor, Tensor]:
        if len(index) > 64:
            raise torch.OutOfMemoryError("pretended")
        return step(self, number, index, lr, seed)

    trainer_module.Trainer.step = refuse  # type: ignore[method-assign]
    try:
        yield "pretended"
    finally:
        trainer_module.Trainer.step = step  # type: ignore[method-assign]


def run_out_of_memory(device: str) -> Outcome:
    """A batch that does not fit is answered with one that does."""
    data = load_dataset("mnist-mini")
    config = TrainConfig(model="resnet-small", epochs=1, batch_size=8000, device=device, compile="off")
    if not is_cuda(device):
        data, config = cut(data, 512), config.replace(batch_size=512)
    with little_memory(device) as how:
        try:
            for event in fit(config, dataset=data, checkpoint_steps=()):
                if isinstance(event, EpochEnd):
                    return Outcome("MISSED", f"a batch of {config.batch_size:,} fits ({how})")
        except OutOfMemory as error:
            answer, fits = str(error), error.fits
        if not fits:
            return Outcome("MISSED", answer, {"how": how})
        for event in fit(config.replace(batch_size=fits), dataset=cut(data, 2 * fits), checkpoint_steps=()):
            if isinstance(event, EpochEnd):
                break
    return Outcome("reached", f"{config.batch_size:,} do not fit, {fits:,} do ({how})", {"answer": answer})


def measure_memory(device: str) -> Outcome:
    """A data set lives on the device as bytes; and the most that an epoch of ``cnn`` holds."""
    name = "mnist" if is_available("mnist") else "mnist-mini"
    data = load_dataset(name)
    wanted = data.train.images.nbytes + data.train.labels.nbytes
    before = torch.cuda.memory_allocated(device) if is_cuda(device) else 0
    resident = DeviceDataset(data.train, data.spec, device, channels_last=True)
    wait(device)
    held = torch.cuda.memory_allocated(device) - before if is_cuda(device) else wanted
    found: dict[str, Any] = {"dataset": name, "n": len(data.train), "bytes": held, "images and labels": wanted}
    del resident
    words = f"{name}, n = {len(data.train):,}: {held / 2**20:.1f} MiB resident"
    if is_cuda(device):
        torch.cuda.reset_peak_memory_stats(device)
        config = TrainConfig(dataset=name, epochs=1, device=device, compile="off")
        for _ in fit(config, dataset=data, checkpoint_steps=()):
            pass
        found["peak of an epoch of cnn"] = torch.cuda.max_memory_allocated(device)
        words += f"; an epoch of cnn holds at most {found['peak of an epoch of cnn'] / 2**20:.0f} MiB"
    return Outcome("reached" if held <= 1.05 * wanted + 2**20 else "MISSED", words, found)


# -- the hot loop ------------------------------------------------------------------------------------------------------


class Waits(TorchDispatchMode):
    """Counts the operations for which the host would wait on a GPU, also where there is none."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh")

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().partition("::")[2].partition(".")[0]
        # A selection by a mask looks for its places first, below what is seen here.
        by_mask = name.startswith("index") and any(
            isinstance(part, Tensor) and part.dtype in (torch.bool, torch.uint8)
            for part in (args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ())
        )
        if name in self.NAMES or by_mask:
            self.found[name] = self.found.get(name, 0) + 1
        return func(*args, **(kwargs or {}))


def find_waits(device: str) -> Outcome:
    """No step waits for the device: ``torch.cuda.set_sync_debug_mode("error")``; on the CPU the operations are counted
    that would wait (a number read from a tensor, a selection of unknown size, a tensor made of the host's numbers).
    """
    data, steps = cut(load_dataset("mnist-mini"), 256), 5
    cases: list[dict[str, Any]] = [{}, {"ema": 0.9}, {"optimizer": "sgd"}, {"augment": "handwriting"}]
    changes_of_all_kinds = {"elastic": 1.0, "noise": 0.1, "erasing": 0.3, "mixup": 0.2, "cutmix": 1.0}
    cases += [{"augment": "random", **changes_of_all_kinds}, {"grad_clip": 1.0, "label_smoothing": 0.1}, {"freeze": 1}]
    cases += [{"precision": "bf16"}, {"precision": "fp16"}] if is_cuda(device) else []
    found: dict[str, str] = {}
    for changes in cases:
        config = TrainConfig(model="cnn-bn", batch_size=32, device=device, compile="off").replace(**changes)
        trainer = Trainer(config, data)
        index = torch.arange(32, device=trainer.index_device)
        take = lambda count, t=trainer, i=index, c=config: [t.step(n, i, c.lr, n) for n in range(1, count + 1)]
        take(3)  # what is made on first use is made
        wait(device)
        try:
            if is_cuda(device):
                torch.cuda.set_sync_debug_mode("error")
                take(steps)
            else:
                with Waits() as waits:
                    take(steps)
                if waits.found:
                    found[str(changes)] = str(waits.found)
        except RuntimeError as error:
            found[str(changes)] = str(error).splitlines()[0]
        finally:
            if is_cuda(device):
                torch.cuda.set_sync_debug_mode("default")
    words = f"{len(cases)} kinds of run, {steps} steps each: " + (
        "; ".join(f"{k} {v}" for k, v in found.items()) or "none"
    )
    return Outcome("MISSED" if found else "reached", words, {"waits": found})


# In this order: what is short and says most comes first. With the seconds after which a check is given up.
CHECKS: dict[str, tuple[Callable[[str], Outcome], int]] = {
    "losses": (compare_losses, 120),
    "resume": (resume_from_disk, 90),
    "no waiting": (find_waits, 90),
    "out of memory": (run_out_of_memory, 60),
    "memory": (measure_memory, 60),
    "race": (race, 90),
    "tutorial": (compare_with_tutorial, 150),
    "tests": (run_marked_tests, 120),
    "compile": (compile_with_graphs, 180),
    "TensorRT": (try_tensorrt, 90),
}
