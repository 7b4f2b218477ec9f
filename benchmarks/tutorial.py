"""The loop that tutorials show, for comparison: torchvision data set, per-sample transforms, DataLoader, eager Adam.

Same model, batch size, learning rate and epochs as ``fit()`` by default. Run as a program it prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.models.registry import create_model


def write_idx(folder: Path, name: str, split: Split) -> None:
    """Write a split the way MNIST's files are, so that torchvision's own class reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    n, _, height, width = split.images.shape
    head = b"".join(i.to_bytes(4, "big") for i in (2051, n, height, width))
    (folder / f"{name}-images-idx3-ubyte").write_bytes(head + split.images.numpy().tobytes())
    head = b"".join(i.to_bytes(4, "big") for i in (2049, n))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(head + split.labels.to(torch.uint8).numpy().tobytes())


MEAN, STD = 0.1307, 0.3081


class SetByHand(Dataset[tuple[Tensor, int]]):
    """What torchvision does for each sample, written out, for a machine that has torch alone.

    A little faster, as nothing is checked: a ratio to it is on the safe side.
    """

    def __init__(self, split: Split) -> None:
        self.images, self.labels = split.images[:, 0], split.labels  # (N, H, W), (N,)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        """A normalized picture ``(1, H, W)`` and its label."""
        picture = Image.fromarray(self.images[number].numpy())
        pixels = torch.from_numpy(np.array(picture, copy=True))[None].float().div(255)  # (H, W) -> (1, H, W)
        return pixels.sub(torch.tensor(MEAN)).div(torch.tensor(STD)), int(self.labels[number])


def _make_sets(train: Split, test: Split) -> tuple[Dataset[Any], Dataset[Any]]:
    try:
        from torchvision import datasets, transforms
    except ImportError:
        return SetByHand(train), SetByHand(test)
    with tempfile.TemporaryDirectory() as root:
        write_idx(Path(root) / "MNIST" / "raw", "train", train)
        write_idx(Path(root) / "MNIST" / "raw", "t10k", test)
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
        # Both read everything into memory.
        return datasets.MNIST(root, train=True, transform=transform), datasets.MNIST(
            root, train=False, transform=transform
        )


def make_loaders(dataset: str, workers: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Loaders of the training and the test images, as tutorials make them."""
    data = load_dataset(dataset)
    train_set, test_set = _make_sets(data.train, data.test)
    train_loader = DataLoader(
        train_set, batch_size=128, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return train_loader, DataLoader(test_set, batch_size=1000)


def train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader[Any], device: str
) -> Iterator[None]:
    """One epoch, as tutorials have it; pauses after every step."""
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()  # every tutorial prints it
        yield


def measure_accuracy(model: nn.Module, loader: DataLoader[Any], device: str) -> float:
    """The part of the images that is named right, 0 to 1; the model is left in training mode."""
    model.eval()
    with torch.no_grad():
        hits = sum((model(x.to(device)).argmax(1).cpu() == y).sum().item() for x, y in loader)
    model.train()
    return hits / len(loader.dataset)  # type: ignore[arg-type]


def train(epochs: int, seed: int, workers: int, device: str) -> dict[str, float]:
    """Train as a tutorial would; gives samples per second of training alone, and test accuracy."""
    train_loader, test_loader = make_loaders("mnist-mini", workers)
    model, optimizer = start_training(seed, device)
    n, seconds = len(train_loader.dataset), 0.0  # type: ignore[arg-type]
    for epoch in range(epochs):
        began = time.perf_counter()
        for _ in train_epoch(model, optimizer, train_loader, device):
            pass
        if epoch > 0 or epochs == 1:  # the first epoch warms up
            seconds += time.perf_counter() - began
    return {
        "samples_per_second": n * max(1, epochs - 1) / seconds,
        "accuracy": measure_accuracy(model, test_loader, device),
        "n": len(test_loader.dataset),  # type: ignore[arg-type]
    }


def start_training(seed: int, device: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A fresh model and its optimizer."""
    torch.manual_seed(seed)
    model = create_model("cnn").to(device).train()
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    print(json.dumps(train(args.epochs, args.seed, args.workers, args.device)))
