"""What travels with every exported network, so that it can be used where nobody knows of us."""

from __future__ import annotations

from typing import Any

import torch

from cnn_demo import __version__
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import LoadedModel


def describe_network(loaded: LoadedModel) -> dict[str, Any]:
    """Classes, normalization, data set, test result, calibration and versions, as plain data.

    ``mean`` and ``std`` are for pixels from 0 to 1: subtract the mean and divide by std. ``test`` is the
    accuracy (0 to 1) on ``n`` test images that was measured when the checkpoint was made; it is left out where nothing
    was. ``temperature`` and ``threshold`` belong to the verdict of the Draw page; they are left out where nothing was
    calibrated.
    """
    spec, meta = loaded.spec, loaded.meta
    found: dict[str, Any] = {
        "network": loaded.key,
        "model": loaded.config.model if loaded.trained_as else "resnet18",
        "step": loaded.step,
        "dataset": spec.name,
        "classes": list(spec.classes),
        "mean": list(spec.mean),
        "std": list(spec.std),
        "input": f"images float32 (N, {spec.channels}, {spec.size}, {spec.size}), normalized",
        "output": f"logits float32 (N, {len(spec.classes)})",
    }
    test = meta.get("test")
    if test:
        found["test"] = {name: test[name] for name in ("dataset", "accuracy", "n") if name in test}
    calibration = load_calibration(loaded) if loaded.trained_as else None
    if calibration is not None:
        found["temperature"], found["threshold"] = calibration.temperature, calibration.threshold
    found["versions"] = {"cnn_demo": __version__, "torch": torch.__version__}
    return found
