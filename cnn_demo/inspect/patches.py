"""What excites a channel: its nine best patches in a data set, its mean answer to each class, whether it is dead.

After Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014: for each channel the images in
which its largest activation is largest, cropped to the receptive field of that unit.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.inspect.architecture import response
from cnn_demo.inspect.capture import Captured, capture
from cnn_demo.inspect.receptive import ReceptiveField

BEST = 9
DEAD_SAMPLE = 1000
_FORMAT = 1
_BATCH_BYTES = 8 * 2**20  # of the largest map in a batch: larger ones leave the caches and take half as long again

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """What the channels of one layer answer to a data set. C channels, K classes, the nine best.

    Attributes:
        layer: the convolution.
        response: the layer that was measured: the norm and activation that directly follow the convolution.
        values: ``(C, 9)`` float32, the largest activations, each of another image, in descending order.
        images: ``(C, 9)`` int64, numbers of these images in the data set; -1 where there are fewer than nine.
        rows, cols: ``(C, 9)`` int64, the unit in the map.
        by_class: ``(C, K)`` float32, mean activation over all units and images of a class.
        dead: ``(C,)`` bool, zero for every unit of every image of an evenly spaced sample.
    """

    layer: str
    response: str
    values: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    by_class: np.ndarray
    dead: np.ndarray


@dataclass(frozen=True, slots=True)
class PatchIndex:
    """The statistics of every layer that was asked for.

    Attributes:
        layers: by the name of the convolution.
        n: images that were looked at.
        sample: images that decide which channels are dead, at most 1,000.
    """

    layers: dict[str, ChannelStatistics]
    n: int
    sample: int


@dataclass(frozen=True, slots=True)
class PatchGroup:
    """Patches of one channel that look the same.

    Attributes:
        pixels: ``(C, h, w)`` uint8, the first of them; zero outside its image.
        inside: ``(h, w)`` bool, whether the pixel lies in the image.
        value: the largest activation of them.
        images: numbers of their images in the data set, in descending order of activation.
        windows: where each lies in its image: top, left, bottom, right, the last two exclusive.
    """

    pixels: np.ndarray
    inside: np.ndarray
    value: float
    images: tuple[int, ...]
    windows: tuple[tuple[int, int, int, int], ...]


def group_patches(
    part: ChannelStatistics, channel: int, images: Tensor, field: ReceptiveField, *, tolerance: int = 8
) -> list[PatchGroup]:
    """The best patches of a channel, those that look the same together: a window of 3 × 3 repeats in many images.

    Args:
        part: the statistics of the channel's layer.
        channel: its number.
        images: all images of the data set, ``(N, C, H, W)`` uint8.
        field: the receptive field of the layer.
        tolerance: shades of 255 by which a pixel may differ from that of the first patch of its group.

    Returns:
        At most nine groups, the strongest first; none for a channel that is never above zero.
    """
    groups: list[PatchGroup] = []
    for k, number in enumerate(part.images[channel].tolist()):
        value = float(part.values[channel, k])
        if number < 0 or value <= 0:
            continue
        window = field.window(int(part.rows[channel, k]), int(part.cols[channel, k]))
        pixels, inside = crop(images[number].numpy(), window)
        for place, group in enumerate(groups):
            apart = np.abs(group.pixels.astype(np.int16) - pixels).max()
            if apart <= tolerance and np.array_equal(group.inside, inside):
                numbers, windows = (*group.images, number), (*group.windows, window)
                groups[place] = replace(group, images=numbers, windows=windows)
                break
        else:
            groups.append(PatchGroup(pixels, inside, value, (number,), (window,)))
    return groups


def channel_statistics(
    model: nn.Module,
    split: Split,
    spec: DatasetSpec,
    *,
    layers: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> PatchIndex:
    """Go through a data set once and find what excites every channel most.

    Args:
        model: as for :func:`cnn_demo.inspect.capture.capture`.
        split: the images, ``(N, C, H, W)`` uint8, and labels.
        spec: the data set, for mean, std and classes.
        layers: names of convolutions; all by default.
        progress: called with (images done, images in all). What it raises ends the search.

    Raises:
        KeyError: no such layer.
    """
    device = next(model.parameters()).device
    n = len(split)
    sample = torch.zeros(n, dtype=torch.bool)
    sample[torch.linspace(0, n - 1, min(n, DEAD_SAMPLE)).long()] = True
    with capture(model, kinds=()) as maps:
        maps(normalize(split.images[:1].to(device), spec))
        convs = [name for name, node in maps.nodes.items() if node.op == "conv2d"] if layers is None else list(layers)
        if unknown := [name for name in convs if name not in maps.nodes]:
            raise KeyError(f"no layer named {unknown[0]!r}; there are: {', '.join(maps.nodes)}")
        tallies = {name: _RunningBest(maps, name, len(spec.classes), device) for name in convs}
        until = max((tally.response for tally in tallies.values()), key=list(maps.nodes).index)
        largest = max(int(np.prod(node.shape[1:])) for node in maps.nodes.values()) * 4
        batch = max(16, min(512, _BATCH_BYTES // largest))
        for start in range(0, n, batch):
            part = slice(start, min(start + batch, n))
            labels, chosen = split.labels[part].to(device), sample[part].to(device)
            watch = {t.response: t.watcher(start, labels, chosen) for t in tallies.values()}
            maps(normalize_channels_last(split.images[part].to(device), spec), watch=watch, until=until)
            if progress is not None:
                progress(part.stop, n)
    counts = torch.bincount(split.labels, minlength=len(spec.classes)).clamp(min=1)
    return PatchIndex({name: tally.result(counts) for name, tally in tallies.items()}, n, int(sample.sum()))


def normalize_channels_last(images: Tensor, spec: DatasetSpec) -> Tensor:
    """Normalized images in channels-last order, with which convolution and pooling on a CPU take half the time.

    Args:
        images: ``(N, C, H, W)`` uint8.
        spec: the data set, for mean and std.
    """
    ready = normalize(images, spec)
    # By a copy: one gray channel counts as being in that order already, and the layers would then choose the other.
    return torch.empty_like(ready, memory_format=torch.channels_last).copy_(ready)


class _RunningBest:
    """Running best of one layer: memory does not grow with the data set."""

    def __init__(self, maps: Captured, layer: str, classes: int, device: torch.device) -> None:
        self.layer, self.response = layer, response(maps.nodes, layer)
        channels = maps.nodes[self.response].shape[1]
        self.values = torch.full((channels, BEST), -torch.inf, device=device)
        self.images = torch.full((channels, BEST), -1, dtype=torch.int64, device=device)
        self.units = torch.zeros((channels, BEST), dtype=torch.int64, device=device)
        self.by_class = torch.zeros((classes, channels), dtype=torch.float64, device=device)
        self.alive = torch.zeros(channels, dtype=torch.bool, device=device)
        self.width = maps.nodes[self.response].shape[-1]

    def watcher(self, start: int, labels: Tensor, chosen: Tensor) -> Callable[[Tensor], None]:
        def see(maps: Tensor) -> None:
            self.by_class.index_add_(0, labels, maps.mean((2, 3)).double())
            if chosen.any():
                self.alive |= (maps[chosen] != 0).any(3).any(2).any(0)
            self._merge(maps, start)

        return see

    def _merge(self, maps: Tensor, start: int) -> None:
        k = self.values.shape[1]
        best = maps.amax((2, 3)).T  # (B, C, H, W) -> (C, B)
        values, place = torch.cat([self.values, best], 1).topk(k, dim=1)  # the older image wins a tie
        fresh = place >= k
        old = place.clamp(max=k - 1)
        images, units = self.images.gather(1, old), self.units.gather(1, old)
        channel, _ = fresh.nonzero(as_tuple=True)
        image = place[fresh] - k
        # The unit is looked up for the few that made it only: an argmax over everything would cost more than the rest.
        units[fresh] = maps[image, channel].flatten(1).argmax(1)  # (M, H, W) -> (M,)
        images[fresh] = image + start
        self.values, self.images, self.units = values, images, units

    def result(self, counts: Tensor) -> ChannelStatistics:
        return ChannelStatistics(
            layer=self.layer,
            response=self.response,
            values=self.values.cpu().numpy(),
            images=self.images.cpu().numpy(),
            rows=(self.units // self.width).cpu().numpy(),
            cols=(self.units % self.width).cpu().numpy(),
            by_class=(self.by_class.cpu() / counts[:, None]).T.float().numpy(),  # (K, C) -> (C, K)
            dead=(~self.alive).cpu().numpy(),
        )


def fingerprint(model: nn.Module, spec: DatasetSpec, n: int) -> str:
    """A name for (weights, data set, number of images): equal weights give equal names on every machine."""
    digest = hashlib.sha256(f"{_FORMAT} {spec.name} {n}".encode())
    for key, value in model.state_dict().items():
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).data)
    return digest.hexdigest()[:20]


def statistics_name(model: nn.Module, spec: DatasetSpec, n: int) -> str:
    """The file name under which :func:`cached_statistics` keeps its result."""
    return f"channels-{fingerprint(model, spec, n)}.npz"


def cached_statistics(
    folder: Path, model: nn.Module, split: Split, spec: DatasetSpec, *, progress: Progress | None = None
) -> PatchIndex:
    """:func:`channel_statistics` of all convolutions, kept in a file.

    Args:
        folder: where the file lives; made when missing. A file of other weights or of another data set is never
            mistaken for this one's; one that cannot be read is computed anew.
        model, split, spec, progress: as for :func:`channel_statistics`.
    """
    path = folder / statistics_name(model, spec, len(split))
    found = load_statistics(path)
    if found is None:
        found = channel_statistics(model, split, spec, progress=progress)
        save_statistics(path, found)
    return found


def save_statistics(path: Path, index: PatchIndex) -> None:
    """Write to one file, in one step: a reader sees all of it or nothing."""
    arrays: dict[str, np.ndarray] = {}
    for i, layer in enumerate(index.layers.values()):
        arrays.update({f"{i}/{name}": getattr(layer, name) for name in _ARRAYS})
    names = [[layer.layer, layer.response] for layer in index.layers.values()]
    arrays["about"] = np.array(json.dumps({"format": _FORMAT, "n": index.n, "sample": index.sample, "layers": names}))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def load_statistics(path: Path) -> PatchIndex | None:
    """Read what :func:`save_statistics` wrote; None when there is no such file or it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            layers = {
                layer: ChannelStatistics(layer, answer, *(file[f"{i}/{name}"] for name in _ARRAYS))
                for i, (layer, answer) in enumerate(about["layers"])
            }
            return PatchIndex(layers, int(about["n"]), int(about["sample"]))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    except Exception as error:  # zipfile has its own error for a broken archive
        if type(error).__name__ == "BadZipFile":
            return None
        raise


_ARRAYS = ("values", "images", "rows", "cols", "by_class", "dead")


def crop(image: np.ndarray, window: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The part of an image under a receptive field, also where the field reaches over the edge.

    Args:
        image: ``(C, H, W)``.
        window: top, left, bottom, right, the last two exclusive (:meth:`ReceptiveField.window`).

    Returns:
        ``(C, bottom - top, right - left)``, zero outside the image, and ``(bottom - top, right - left)`` bool, true
        inside it.
    """
    top, left, bottom, right = window
    h, w = image.shape[1:]
    patch = np.zeros((image.shape[0], bottom - top, right - left), image.dtype)
    inside = np.zeros(patch.shape[1:], bool)
    rows, cols = slice(max(0, top), max(0, min(h, bottom))), slice(max(0, left), max(0, min(w, right)))
    there = slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left)
    if rows.start < rows.stop and cols.start < cols.stop:
        patch[:, there[0], there[1]] = image[:, rows, cols]
        inside[there] = True
    return patch, inside
