"""A network as ONNX with its preparation in the graph: bytes of a pad or of an image in, probabilities out.

The pad's preparation is that of ``drawing/stages.py`` for a pad, white on black, written as products of matrices, so
that it needs no loop and no picture library: cropping and Pillow's bicubic filter are one matrix for the rows and one
for the columns of each drawing, and so is the shift that brings the center of mass to the middle. What needs connected
pieces of ink is not in it: specks far from the digit stay, lines of ruled paper stay, and there is no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.export.asking import TOLERANCE
from cnn_demo.export.formats import Exported, ExportFailed, Progress
from cnn_demo.export.metadata import describe_network
from cnn_demo.export.onnx_file import build_proto, choose_classifier, write_proto
from cnn_demo.handwriting.mnist_frame import BOX, CENTER, FAINT, FIELD
from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.skeletons.styles import choose_style, list_styles
from cnn_demo.handwriting.strokes import PAD, PenVariation, draw_on_pad, write_digit
from cnn_demo.locales import N_
from cnn_demo.prediction.calibration import load_calibration, soften
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.prediction.logits import compute_logits
from cnn_demo.prediction.predictor import UNCALIBRATED, Predictor

NAMES = {"pad": ("pads", "probabilities"), "image": ("pixels", "probabilities")}
_ASKED = 32  # drawings on which the file is compared with the page
_SEED = 280
_LEAST_CONTRAST = 0.06  # fainter drawings count as none, as in drawing/ink.py


class PadPreparation(nn.Module):
    """Pads ``(N, 280, 280)`` uint8, white on black, to MNIST's frame: ``(N, 1, 28, 28)`` float32, ink = 1."""

    def forward(self, pads: Tensor) -> Tensor:
        """Crop to the ink, bring the longer side to 20 pixels, the center of mass to pixel (14, 14)."""
        gray = pads.to(torch.float32) / 255
        strongest = gray.amax((1, 2), keepdim=True)
        drawn = (strongest >= _LEAST_CONTRAST).to(torch.float32)
        ink = gray / strongest.clamp(min=_LEAST_CONTRAST) * drawn
        faint = (ink > FAINT).to(torch.float32)
        top, bottom = _find_ends(faint.amax(2))
        left, right = _find_ends(faint.amax(1))
        longer = torch.maximum(bottom - top, right - left)
        # A digit of 19 or 20 pixels stays as it is.
        scale = torch.where((longer >= BOX - 1) & (longer <= BOX), torch.ones_like(longer), BOX / longer)
        height, width = ((n * scale).round().clamp(min=1) for n in (bottom - top, right - left))
        rows, columns = _resize_matrix(top, bottom, height), _resize_matrix(left, right, width)  # (N, 28, 280)
        small = (rows @ ink @ columns.transpose(1, 2)).clamp(0, 1)  # (N, 28, 28), the digit in the corner
        small = small / small.amax((1, 2), keepdim=True).clamp(min=1e-6)
        down = _find_shift(small.sum(2), height)
        across = _find_shift(small.sum(1), width)
        return (_shift_matrix(down) @ small @ _shift_matrix(across).transpose(1, 2)).unsqueeze(1)


def _find_ends(faint: Tensor) -> tuple[Tensor, Tensor]:
    """The first place of 1 and the one behind the last in ``(N, 280)``: two of ``(N, 1)``, float64."""
    place = torch.arange(PAD, dtype=torch.float64)
    there = faint > 0
    first = torch.where(there, place, float(PAD)).amin(1, keepdim=True)
    behind = torch.where(there, place + 1, 0.0).amax(1, keepdim=True)
    blank = behind == 0
    return torch.where(blank, 0.0, first), torch.where(blank, float(PAD), behind)


def _resize_matrix(start: Tensor, end: Tensor, size: Tensor) -> Tensor:
    """Weights of 280 places for 28: the part from start to end becomes ``size``, by Pillow's bicubic filter.

    Args:
        start, end, size: ``(N, 1)`` float64.

    Returns:
        ``(N, 28, 280)`` float32; rows from ``size`` on are 0.
    """
    start, end, size = start.unsqueeze(2), end.unsqueeze(2), size.unsqueeze(2)  # (N, 1, 1)
    step = (end - start) / size
    place = torch.arange(PAD, dtype=torch.float64).view(1, 1, PAD)
    row = torch.arange(FIELD, dtype=torch.float64).view(1, FIELD, 1)
    x = ((place + 0.5 - start - (row + 0.5) * step) / step.clamp(min=1)).abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weight = torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
    weight = torch.where((place >= start) & (place < end) & (row < size), weight, 0.0)
    return (weight / torch.where(row < size, weight.sum(2, keepdim=True), 1.0)).to(torch.float32)


def _find_shift(mass: Tensor, size: Tensor) -> Tensor:
    """By how many whole pixels ink ``(N, 28)`` of ``size`` pixels moves: ``(N, 1)`` float64."""
    place = torch.arange(FIELD, dtype=torch.float32)
    center = (mass * place).sum(1, keepdim=True) / mass.sum(1, keepdim=True).clamp(min=1e-6)
    wanted = (CENTER - center + 0.5).floor().to(torch.float64)
    return torch.minimum(wanted.clamp(min=0), FIELD - size)


def _shift_matrix(shift: Tensor) -> Tensor:
    """``(N, 28, 28)`` float32 that moves places up by ``shift`` ``(N, 1)``."""
    place = torch.arange(FIELD, dtype=torch.float64)
    moved = place.view(1, 1, FIELD) + shift.unsqueeze(2)
    return (place.view(1, FIELD, 1) == moved).to(torch.float32)


class PreparedNetwork(nn.Module):
    """Preparation, normalization, network, temperature and softmax in one.

    Args:
        model: images to logits.
        spec: of its data set.
        temperature: of its calibration; 1 for raw probabilities.
        takes: ``pad`` or ``image``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, spec: DatasetSpec, temperature: float, takes: str) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature
        self.prepare = PadPreparation() if takes == "pad" else None
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """``(N, 280, 280)`` or ``(N, C, H, W)`` uint8 to probabilities ``(N, classes)`` float32."""
        images = self.prepare(pixels) if self.prepare is not None else pixels.to(torch.float32) / 255
        logits: Tensor = self.model((images - self.mean) / self.std)
        return torch.softmax(logits / self.temperature, dim=1)


def build_prepared(loaded: LoadedModel, folder: Path, options: Mapping[str, Any], progress: Progress) -> Exported:
    """The builder of the format ``onnx_prepared``. A file that answers otherwise than the page is not kept.

    Args:
        loaded: the network.
        folder: where the file goes.
        options: ``takes``: pad or image.
        progress: is told the part that is done.

    Raises:
        ExportFailed: the network takes photographs, is not one for digits (pad), cannot be written, or does not agree.
        OSError: the file cannot be written.
    """
    takes, spec = options["takes"], loaded.spec
    if loaded.photo is not None:
        raise ExportFailed(N_("This network takes photographs; only a network of a data set can be exported."))
    if takes == "pad" and not spec.digits:
        raise ExportFailed(N_("Only a network for digits has the pad's preparation; choose an image of the data set."))
    calibration = load_calibration(loaded) if loaded.trained_as else None
    temperature = calibration.temperature if calibration else 1.0
    network = PreparedNetwork(choose_classifier(loaded.model), spec, temperature, takes).eval()
    shape = (PAD, PAD) if takes == "pad" else (spec.channels, spec.size, spec.size)
    facts = describe_network(loaded) | {
        "input": f"{NAMES[takes][0]} uint8 (N, {', '.join(map(str, shape))})"
        + (", white on black" if takes == "pad" else ", as the data set has them"),
        "output": f"probabilities float32 (N, {len(spec.classes)})",
    }
    path = folder / f"{loaded.file_name}.{takes}.onnx"
    unfinished = path.with_name(f".{path.name}.part")
    try:
        write_proto(unfinished, build_proto(network, shape, torch.uint8, NAMES[takes]), facts)
        progress(0.7)
        difference = _compare_with_page(unfinished, loaded, takes)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    progress(1.0)
    return Exported(path, {"largest_difference": difference, "asked": _ASKED, "takes": takes})


def compute_probabilities(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a file of this format says: ``(N, classes)``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: pixels})
    return np.asarray(found, dtype=np.float32)


def _compare_with_page(path: Path, loaded: LoadedModel, takes: str) -> float:
    """The largest difference of a probability from what Predictor says of the same drawings or images."""
    calibration = load_calibration(loaded) if loaded.trained_as else None
    if takes == "pad":
        pixels = draw_pads(_ASKED, _SEED)
        predictor = Predictor(loaded, calibration)
        wanted = np.stack([found.verdict.probabilities for found in predictor.predict(list(pixels))])
    else:
        generator = torch.Generator().manual_seed(_SEED)
        size = (_ASKED, loaded.spec.channels, loaded.spec.size, loaded.spec.size)
        images = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
        logits = compute_logits(loaded.model, normalize(images, loaded.spec).contiguous(), loaded.spec)
        pixels, wanted = images.numpy(), soften(logits, calibration or UNCALIBRATED).numpy()
    difference = float(np.abs(compute_probabilities(path, pixels) - wanted).max())
    if not difference <= TOLERANCE:
        raise ExportFailed(
            N_("The file differs from the page by up to {difference} in a probability; at most {allowed} is allowed."),
            difference=f"{difference:.2g}",
            allowed=f"{TOLERANCE:g}",
        )
    return difference


def draw_pads(count: int, seed: int) -> NDArray[np.uint8]:
    """Digits drawn on a pad by synthetic pens, the same for the same seed: ``(count, 280, 280)``."""
    stream, variation = RandomStream(np.random.default_rng(seed)), PenVariation()
    styles = list_styles(held_out=True)
    pads = []
    for number in range(count):
        paths = write_digit(choose_style(styles[number % 10], stream), variation, stream)
        pads.append(draw_on_pad(paths, stream.u(8, 26), stream.u(0.3, 0.9), stream))
    return np.stack(pads)
