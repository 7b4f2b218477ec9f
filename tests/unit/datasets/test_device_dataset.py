"""Batches on the device, with torchvision's ToTensor and Normalize as the oracle."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import transforms

from cnn_demo.datasets.device_dataset import DeviceDataset, normalize
from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.datasets.splits import Split

N = 12


def some_split(spec: DatasetSpec) -> Split:
    rng = torch.Generator().manual_seed(0)
    shape = (N, spec.channels, spec.size, spec.size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng)
    images[0].flatten()[:256] = torch.arange(256)  # every byte value occurs
    return Split(images, torch.arange(N) % 10)


def oracle(images: Tensor, spec: DatasetSpec) -> Tensor:
    """What the usual pipeline gives, one picture at a time."""
    pipeline = transforms.Compose([transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)])
    return torch.stack([pipeline(image.permute(1, 2, 0).numpy()) for image in images])


@pytest.fixture(params=["mnist", "cifar10"])
def spec(request: pytest.FixtureRequest) -> DatasetSpec:
    return get_spec(request.param)


def test_normalize_agrees_with_torchvision(spec: DatasetSpec) -> None:
    images = some_split(spec).images
    torch.testing.assert_close(normalize(images, spec), oracle(images, spec), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        normalize(images.contiguous(memory_format=torch.channels_last), spec),
        oracle(images, spec).contiguous(memory_format=torch.channels_last),
        rtol=0,
        atol=1e-6,
        check_stride=True,
    )


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_batch_agrees_with_torchvision(spec: DatasetSpec, channels_last: bool) -> None:
    split = some_split(spec)
    resident = DeviceDataset(split, spec, "cpu", channels_last=channels_last)
    index = torch.tensor([3, 0, 11, 3])
    images, labels = resident.batch(index)
    torch.testing.assert_close(images, oracle(split.images[index], spec), rtol=0, atol=1e-6)
    assert labels.tolist() == [3, 0, 1, 3]
    assert images.is_contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    if channels_last:
        assert images.stride(1) == 1  # also where one channel leaves the format open
    assert len(resident) == N
    assert resident.nbytes == split.images.numel() + 8 * N


@pytest.mark.parametrize("channels_last", [False, True])
def test_raw_gives_the_bytes(spec: DatasetSpec, channels_last: bool) -> None:
    split = some_split(spec)
    images, labels = DeviceDataset(split, spec, "cpu", channels_last=channels_last).raw(torch.tensor([5, 2]))
    assert images.dtype == torch.uint8
    assert torch.equal(images, split.images[[5, 2]])
    assert labels.tolist() == [5, 2]


def test_a_batch_of_nothing(spec: DatasetSpec) -> None:
    images, labels = DeviceDataset(some_split(spec), spec, "cpu").batch(torch.tensor([], dtype=torch.int64))
    assert images.shape == (0, spec.channels, spec.size, spec.size)
    assert len(labels) == 0


def test_a_split_of_nothing(spec: DatasetSpec) -> None:
    split = some_split(spec)
    assert len(DeviceDataset(Split(split.images[:0], split.labels[:0]), spec, "cpu", channels_last=True)) == 0


def test_an_index_beyond_the_end_is_refused() -> None:
    spec = get_spec("mnist")
    with pytest.raises(IndexError):
        DeviceDataset(some_split(spec), spec, "cpu").batch(torch.tensor([N]))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cifar10"):
        DeviceDataset(some_split(get_spec("mnist")), get_spec("cifar10"), "cpu")
    split = some_split(get_spec("mnist"))
    floats = dataclasses.replace(split, images=split.images.float())
    with pytest.raises(ValueError, match="float32"):
        DeviceDataset(floats, get_spec("mnist"), "cpu")


class FakeCuda:
    """A CUDA device as far as DeviceDataset can see: tensors "moved" there stay where they are, and are noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self.moved: list[int] = []
        self.pinned: list[int] = []
        self.out_of_memory = False
        real_to = torch.Tensor.to

        def to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            if not isinstance(args[0], torch.dtype) and torch.device(args[0]).type == "cuda":
                if self.out_of_memory and tensor.dtype == torch.uint8:
                    raise torch.cuda.OutOfMemoryError("fake")
                self.moved.append(tensor.nbytes)
                return tensor
            return real_to(tensor, *args, **kwargs)

        def pin_memory(tensor: Tensor) -> Tensor:
            self.pinned.append(tensor.nbytes)
            return tensor

        monkeypatch.setattr(torch.Tensor, "to", to)
        monkeypatch.setattr(torch.Tensor, "pin_memory", pin_memory)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 1000)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 400)


IMAGE_BYTES, LABEL_BYTES = N * 784, N * 8
NEEDED = IMAGE_BYTES + LABEL_BYTES - 600  # 600 bytes are held by PyTorch and unused


@pytest.mark.parametrize(
    ("free", "reserve", "fits"),
    [(NEEDED, 0, True), (NEEDED - 1, 0, False), (NEEDED + 50, 50, True), (NEEDED + 50, 51, False)],
)
def test_what_does_not_fit_stays_on_the_host_pinned(
    monkeypatch: pytest.MonkeyPatch, free: int, reserve: int, fits: bool
) -> None:
    spec = get_spec("mnist")
    split = some_split(spec)
    cuda = FakeCuda(monkeypatch, free)
    resident = DeviceDataset(split, spec, "cuda:0", reserve=reserve)
    assert resident.on_device is fits
    assert (IMAGE_BYTES in cuda.moved) is fits
    assert cuda.pinned == ([] if fits else [IMAGE_BYTES, LABEL_BYTES])


def test_an_allocation_that_fails_all_the_same_stays_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = get_spec("mnist")
    split = some_split(spec)
    cuda = FakeCuda(monkeypatch, 10**9)
    cuda.out_of_memory = True
    assert not DeviceDataset(split, spec, "cuda:0").on_device
    assert cuda.pinned == [IMAGE_BYTES, LABEL_BYTES]


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_split_on_the_host_gives_the_same_batches(spec: DatasetSpec, channels_last: bool) -> None:
    split = some_split(spec)
    resident = DeviceDataset(split, spec, "cpu", channels_last=channels_last)
    index = torch.tensor([3, 0, 11, 3])
    expected, labels = resident.batch(index)
    resident.on_device = False
    images, same_labels = resident.batch(index)
    assert torch.equal(images, expected)
    assert torch.equal(labels, same_labels)


@pytest.mark.cuda
@pytest.mark.parametrize("reserve", [0, 2**60])
@pytest.mark.parametrize("channels_last", [False, True])
def test_on_a_real_cuda_device(spec: DatasetSpec, reserve: int, channels_last: bool) -> None:
    split = some_split(spec)
    resident = DeviceDataset(split, spec, "cuda:0", reserve=reserve, channels_last=channels_last)
    assert resident.on_device is (reserve == 0)
    assert resident.labels.is_pinned() is (reserve != 0)
    index = torch.tensor([3, 0, 11, 3], device=resident.labels.device)
    images, labels = resident.batch(index)
    assert images.device == labels.device == torch.device("cuda:0")
    torch.testing.assert_close(images.cpu(), oracle(split.images[index.cpu()], spec), rtol=0, atol=1e-6)
    assert labels.tolist() == [3, 0, 1, 3]


def test_what_normalizes_can_be_used_with_gradients_whoever_asked_first(spec: DatasetSpec) -> None:
    """The two numbers for each channel are made once; in inference mode they would be of no use for gradients."""
    images = torch.rand(2, spec.channels, 4, 4)
    with torch.inference_mode():
        first = normalize(images, spec)
    wanted = images.clone().requires_grad_()
    again = normalize(wanted, spec)
    again.sum().backward()
    assert torch.equal(first, again)
    assert wanted.grad is not None
    std = torch.tensor(spec.std).view(-1, 1, 1)
    torch.testing.assert_close(wanted.grad, (1 / std).expand_as(images).contiguous())
