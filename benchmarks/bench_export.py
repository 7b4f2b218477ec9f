"""Exports against PyTorch: size of 8 bits, latency at batch 1, accuracy lost, and how long export and receipt take.

    CNN_DEMO_DATA=FOLDER python -m benchmarks.bench_export [--threads N]

Claims: the 8-bit file of ``cnn`` weighs at most 0.27 of that in fp32; at batch 1 ONNX needs at most 0.3 and 8 bits at
most 0.25 of the time of PyTorch in eager mode; the model that ships loses at most 0.05 points on MNIST's 10,000 test
images; export and receipt of ``cnn`` on these images take at most 30 s. Latencies are taken in turns in one sitting;
each has N threads, by default as many as there are cores. Without MNIST the test images of mnist-mini take its place,
and the figures say so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from benchmarks.common import machine, quantile, spread
from cnn_demo.cli.networks import load_network
from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.load import load_dataset
from cnn_demo.export.formats import FORMATS
from cnn_demo.export.receipt import make_receipt
from cnn_demo.export.runners import Runner, open_runner
from cnn_demo.prediction.load import LoadedModel

ROUNDS, CALLS = 20, 50
_OPTIONS = {"scheme": "static", "method": "minmax", "images": 512, "keep": "", "compare": False}


def export_all(loaded: LoadedModel, folder: Path) -> dict[str, Path]:
    """ONNX and 8 bits of a network."""
    return {
        name: FORMATS.get(name).load()(loaded, folder, options, lambda _share: None).path
        for name, options in (("onnx", {}), ("int8", _OPTIONS))
    }


def time_in_turns(runners: dict[str, Runner], image: np.ndarray) -> dict[str, list[float]]:
    """Milliseconds of a call, one median for each round; the runners take turns, so that all see the same noise."""
    for runner in runners.values():
        for _ in range(20):
            runner(image)
    found: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(ROUNDS):
        for name, runner in runners.items():
            seconds = []
            for _ in range(CALLS):
                began = time.perf_counter()
                runner(image)
                seconds.append(time.perf_counter() - began)
            found[name].append(1000 * statistics.median(seconds))
    return found


def main() -> int:
    """Measure and print; gives 0 where every claim holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(), metavar="N")
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    print(f"{machine()}, {threads} threads each")
    data = load_dataset("mnist" if is_available("mnist") else "mnist-mini", download=False)
    where = f"{data.spec.name}, n = {len(data.test):,}"
    holds = True
    with tempfile.TemporaryDirectory() as work:
        loaded = load_network("shipped")
        began = time.perf_counter()
        files = export_all(loaded, Path(work))
        receipt = make_receipt(loaded, files, data.test)
        took = time.perf_counter() - began
        ratio = files["int8"].stat().st_size / files["onnx"].stat().st_size
        holds &= say("int8 / fp32, bytes", ratio, 0.27, f"{ratio:.3f} ×")
        image = normalize(data.test.images[:1], data.spec).contiguous().numpy()
        runners = {name: open_runner(name, path, loaded, threads) for name, path in {"pytorch": None, **files}.items()}
        times = time_in_turns(runners, image)
        for name, most in (("onnx", 0.3), ("int8", 0.25)):
            ratios = [one / other for one, other in zip(times[name], times["pytorch"], strict=True)]
            late = quantile(times[name], 0.95)
            words = f"{spread(ratios, ' ×')}; {spread(times[name], ' ms', 3)}, p95 of rounds {late:.3f} ms"
            holds &= say(f"{name} / PyTorch at batch 1", statistics.median(ratios), most, words)
        print(f"PyTorch at batch 1: {spread(times['pytorch'], ' ms', 3)}")
        rows = {row.format: row for row in receipt.rows}
        lost = 100 * (rows["pytorch"].accuracy - rows["int8"].accuracy)
        words = f"{lost:+.2f} points ({rows['int8'].accuracy:.2%} after {rows['pytorch'].accuracy:.2%}), {where}"
        holds &= say("accuracy lost by int8", lost, 0.05, words)
        print(
            f"ONNX: same class for {rows['onnx'].agreement:.2%}, largest difference {rows['onnx'].largest:.2g}, {where}"
        )
        holds &= say("export of ONNX and int8 with receipt", took, 30, f"{took:.1f} s, {where}")
    return 0 if holds else 1


def say(what: str, value: float, most: float, words: str) -> bool:
    """Print a figure beside what is claimed; whether it holds."""
    print(f"{what}: {words} (asked: at most {most:g}; {'reached' if value <= most else 'MISSED'})", flush=True)
    return value <= most


if __name__ == "__main__":
    sys.exit(main())
