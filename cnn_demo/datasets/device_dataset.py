"""Data sets as bytes on the training device: a batch is an index and a normalization there."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split


class PixelStatistics(Protocol):
    """Mean and standard deviation of each channel, pixels in [0, 1]: a :class:`DatasetSpec`, or ImageNet's."""

    @property
    def mean(self) -> tuple[float, ...]: ...

    @property
    def std(self) -> tuple[float, ...]: ...


def _scale_and_shift(spec: PixelStatistics, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """``(C,)`` float32 each, such that ``x * scale + shift == (x / 255 - mean) / std`` for a byte x."""
    return _scale_and_shift_once(tuple(spec.mean), tuple(spec.std), torch.device(device))


@cache  # a training step normalizes; a copy from the host in each of them would make it wait for the GPU
def _scale_and_shift_once(
    means: tuple[float, ...], stds: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):  # whoever asks first, others will want gradients
        mean, std = torch.tensor(means, dtype=torch.float64), torch.tensor(stds, dtype=torch.float64)
        return (1 / (255 * std)).float().to(device), (-mean / std).float().to(device)


def normalize(images: Tensor, spec: PixelStatistics) -> Tensor:
    """Pixels to the numbers a network sees: ``(x - mean) / std`` for each channel, with x in [0, 1].

    Agrees with ``torchvision.transforms.ToTensor`` followed by ``Normalize`` within 1e-6.

    Args:
        images: ``(N, C, H, W)`` or ``(C, H, W)`` in either memory format, on any device: uint8, which is divided by
            255, or float in [0, 1].
        spec: the data set, for mean and std.

    Returns:
        Float of the same shape, on the same device, in the same memory format; float32 for uint8.
    """
    pixels = images.to(torch.float32) if images.dtype == torch.uint8 else images * 255
    scale, shift = (v.to(pixels.dtype).view(-1, 1, 1) for v in _scale_and_shift(spec, images.device))
    return torch.addcmul(shift, pixels, scale)


def denormalize(inputs: Tensor, spec: PixelStatistics) -> Tensor:
    """What :func:`normalize` was given, as float in [0, 1]: ``(N, C, H, W)`` or ``(C, H, W)``."""
    mean, std = (torch.tensor(v, device=inputs.device).view(-1, 1, 1) for v in (spec.mean, spec.std))
    return inputs * std + mean


class DeviceDataset:
    """A split that lives on the training device as uint8, and gives normalized batches there.

    A CUDA device is asked for its free memory first. A split that does not fit stays in (pinned) host memory; then
    only the bytes of each batch are copied, and the host does not wait for them.

    Attributes:
        spec: the data set.
        device: where batches appear.
        on_device: whether images and labels live on ``device``. Give ``batch`` indices that live there as well; else
            give indices on the host.
        labels: ``(N,)`` int64, where the images live.
    """

    def __init__(
        self,
        split: Split,
        spec: DatasetSpec,
        device: torch.device | str,
        *,
        reserve: int = 0,
        channels_last: bool = False,
    ) -> None:
        """Copy a split to a device.

        Args:
            split: the samples.
            spec: the data set, for mean, std and shape.
            device: the training device.
            reserve: bytes of a CUDA device's free memory that must stay free for the training itself.
            channels_last: give batches in channels-last memory format.

        Raises:
            ValueError: the images have another shape than the data set.
        """
        shape = (spec.channels, spec.size, spec.size)
        if tuple(split.images.shape[1:]) != shape or split.images.dtype != torch.uint8:
            raise ValueError(
                f"images {tuple(split.images.shape)} of {split.images.dtype}: {spec.name} has (N, "
                f"{', '.join(map(str, shape))}) of torch.uint8"
            )
        self.spec = spec
        self.device = torch.device(device)
        self._channels_last = channels_last
        self._shape = (spec.size, spec.size, spec.channels) if channels_last else shape
        # One row of bytes for each image, in the memory order of the batches, so that the gather copies whole rows.
        images = split.images.permute(0, 2, 3, 1) if channels_last else split.images
        rows = images.flatten(1)  # (N, C, H, W) or (N, H, W, C) -> (N, D)
        labels = split.labels
        self.on_device = True
        if self.device.type == "cuda":
            needed = rows.nbytes + labels.nbytes
            self.on_device = needed + reserve <= _free_memory(self.device)
        if self.on_device:
            try:
                rows, labels = rows.to(self.device), labels.to(self.device)
            except torch.cuda.OutOfMemoryError:  # another process was quicker, or the free memory is in pieces
                self.on_device = False
        if not self.on_device:
            rows, labels = _pinned(rows), _pinned(labels)
        self._rows, self.labels = rows, labels

        # As long as a row, so that addcmul runs over contiguous memory whatever the number of channels.
        pixels = spec.size * spec.size
        scale, shift = _scale_and_shift(spec, self.device)
        self._scale, self._shift = (
            (v.repeat(pixels) if channels_last else v.repeat_interleave(pixels)) for v in (scale, shift)
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Bytes that images and labels take."""
        return int(self._rows.nbytes + self.labels.nbytes)

    def _take_rows(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Rows ``(B, D)`` uint8 and labels ``(B,)`` of an index, on the device."""
        index = index.to(self._rows.device)
        if self.on_device:
            return self._rows.index_select(0, index), self.labels.index_select(0, index)
        # The caching allocator for pinned memory hands a block out again only when the copy from it has been made.
        pin = self.device.type == "cuda" and torch.cuda.is_available()
        rows = torch.empty((len(index), self._rows.shape[1]), dtype=torch.uint8, pin_memory=pin)
        labels = torch.empty(len(index), dtype=torch.int64, pin_memory=pin)
        torch.index_select(self._rows, 0, index, out=rows)
        torch.index_select(self.labels, 0, index, out=labels)
        return rows.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)

    def _as_images(self, rows: Tensor) -> Tensor:
        images = rows.view(-1, *self._shape)  # (B, D) -> (B, C, H, W) or (B, H, W, C)
        return images.permute(0, 3, 1, 2) if self._channels_last else images

    def raw(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The bytes of some samples: ``(B, C, H, W)`` uint8 and ``(B,)`` int64 on the device.

        Args:
            index: ``(B,)`` int64, 0 to N - 1.
        """
        rows, labels = self._take_rows(index)
        return self._as_images(rows), labels

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Some samples as a network sees them: ``(B, C, H, W)`` float32 normalized, ``(B,)`` int64, on the device.

        The images agree with torchvision's ``ToTensor`` and ``Normalize`` within 1e-6.

        Args:
            index: ``(B,)`` int64, 0 to N - 1.
        """
        rows, labels = self._take_rows(index)
        return self._as_images(torch.addcmul(self._shift, rows.to(torch.float32), self._scale)), labels


def _free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on a CUDA device, those that PyTorch holds but does not use included."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def _pinned(tensor: Tensor) -> Tensor:
    """The tensor in page-locked memory, from which a GPU copies by itself; unchanged where there is no GPU."""
    return tensor.pin_memory() if torch.cuda.is_available() else tensor.contiguous()
