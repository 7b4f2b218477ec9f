"""The checks of ``benchmarks.gpu`` that measure speed: compilation, the tutorial's loop, the race, TensorRT."""

from __future__ import annotations

import importlib
import importlib.util
import math
import statistics
import time
from typing import Any

import torch

from benchmarks.gpu_outcome import Outcome, cut, is_cuda, wait
from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.presets import PRESETS
from cnn_demo.training.events import EpochEnd, Started
from cnn_demo.training.loop import fit


def compile_with_graphs(device: str) -> Outcome:
    """``torch.compile`` (with CUDA graphs on a GPU): it takes effect, learns the same, and what it costs and gains."""
    data = cut(load_dataset("mnist-mini"), 2048 if is_cuda(device) else 256)
    epochs = 12 if is_cuda(device) else 2
    found: dict[str, Any] = {}
    for mode in ("off", "on"):
        config = TrainConfig(epochs=epochs, device=device, compile=mode, options={"dropout": 0.0})
        began = time.perf_counter()
        events = fit(config, dataset=data, checkpoint_steps=())
        started = next(events)
        assert isinstance(started, Started)
        ready = time.perf_counter() - began
        ends = [event for event in events if isinstance(event, EpochEnd)]
        rest = ends[1:]
        found[mode] = {
            "compiled": started.compiled,
            "seconds until the first step": ready,
            "losses": [end.train.loss for end in ends],
            "samples_per_second": sum(e.train.n for e in rest) / sum(e.train.seconds for e in rest),
        }
    off, on = found["off"], found["on"]
    gain = on["samples_per_second"] / off["samples_per_second"]
    close = abs(on["losses"][0] - off["losses"][0]) < 0.05 * off["losses"][0]
    words = f"ready after {on['seconds until the first step']:.1f} s, {gain:.2f} × as fast as eager"
    if not on["compiled"]:
        return Outcome("not here", "torch.compile does not work on this machine; the run went on without it", found)
    return Outcome("reached" if close else "MISSED", words, found)


def measure_fit(device: str, epochs: int, mode: str, data: Dataset) -> float:
    """Samples a second of ``fit()``, the first epoch left out."""
    events = fit(TrainConfig(epochs=epochs, device=device, compile=mode), dataset=data, checkpoint_steps=())
    ends = [event for event in events if isinstance(event, EpochEnd)][1:]
    return sum(end.train.n for end in ends) / sum(end.train.seconds for end in ends)


def compare_with_tutorial(device: str) -> Outcome:
    """``fit()`` against the loop that tutorials show: at least 15 times as many samples a second on a GPU, aim 20."""
    from benchmarks import tutorial

    by_hand = "" if importlib.util.find_spec("torchvision") else "; per-sample transforms by hand, without torchvision"
    data = load_dataset("mnist-mini")
    rounds, epochs = (3, 40) if is_cuda(device) else (1, 2)
    modes = ("off", "on") if is_cuda(device) else ("off",)
    speeds: dict[str, list[float]] = {}
    for number in range(rounds):
        for mode in modes:
            speeds.setdefault(f"fit, compile {mode}", []).append(measure_fit(device, epochs, mode, data))
        for workers in (0, 4) if is_cuda(device) else (0,):
            result = tutorial.train(2, number, workers, device)
            speeds.setdefault(f"tutorial, {workers} workers", []).append(result["samples_per_second"])
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    ours = max(value for name, value in medians.items() if name.startswith("fit"))
    ratio = ours / medians["tutorial, 0 workers"]
    target = 15.0 if is_cuda(device) else 0.0
    words = (
        f"{ratio:.1f} ×, {ours:,.0f} samples/s, n = {rounds}"
        + (f" (asked: ≥ {target:g} ×)" if target else "")
        + by_hand
    )
    return Outcome("reached" if ratio >= target else "MISSED", words, {"samples_per_second": speeds, "ratio": ratio})


def race(device: str) -> Outcome:
    """The preset ``race``: seconds of training until 99% of the test images are right; aim on a GPU: two."""
    changes = next(preset.changes for preset in PRESETS if preset.name == "race")
    name = "mnist" if is_available("mnist") and is_cuda(device) else "mnist-mini"
    data = load_dataset(name)
    runs = []
    for seed in range(3 if is_cuda(device) else 1):
        config = TrainConfig.from_values({**changes, "dataset": name, "device": device, "seed": seed})
        seconds, reached, best = 0.0, None, 0.0
        for event in fit(config, dataset=data, checkpoint_steps=()):
            if isinstance(event, EpochEnd):
                seconds += event.train.seconds
                best = max(best, event.test.accuracy)
                if reached is None and event.test.accuracy >= 0.99:
                    reached = seconds
        runs.append({"seed": seed, "seconds": seconds, "seconds_to_99": reached, "accuracy": best})
    times = [run["seconds_to_99"] for run in runs]
    middle = statistics.median(t if t is not None else math.inf for t in times)
    words = f"{name}, n = {len(data.test):,}: best {max(r['accuracy'] or 0 for r in runs):.2%}"
    words += f", 99% after {middle:.2f} s" if middle < math.inf else ", 99% not reached"
    if name != "mnist":  # a rehearsal, or a machine without the data: there is no aim
        return Outcome(
            "reached" if not is_cuda(device) else "not here", words + " (MNIST was not used)", {"runs": runs}
        )
    return Outcome("reached" if middle <= 2 else "MISSED", words + " (aim: 2 s)", {"runs": runs})


def try_tensorrt(device: str) -> Outcome:
    """A network through TensorRT gives the same logits."""
    if importlib.util.find_spec("torch_tensorrt") is None:
        return Outcome("not here", "torch_tensorrt is not installed")
    if not is_cuda(device):
        return Outcome("not here", "TensorRT needs CUDA")
    torch_tensorrt = importlib.import_module("torch_tensorrt")

    from cnn_demo.models.registry import create_model

    model = create_model("cnn").eval().to(device)
    images = torch.randn(256, 1, 28, 28, device=device)
    fast = torch_tensorrt.compile(model, ir="dynamo", inputs=[images])
    with torch.no_grad():
        off = float((fast(images) - model(images)).abs().max())
        times = {}
        for name, network in (("eager", model), ("TensorRT", fast)):
            wait(device)
            began = time.perf_counter()
            for _ in range(50):
                network(images)
            wait(device)
            times[name] = (time.perf_counter() - began) / 50
    words = f"logits at most {off:.2g} apart, {times['eager'] / times['TensorRT']:.1f} × as fast as eager"
    return Outcome("reached" if off < 0.05 else "MISSED", words, {"off": off, "seconds": times})
