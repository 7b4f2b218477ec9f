"""The loop that tutorials show, for comparison: torchvision data set, per-sample transforms, DataLoader, eager Adam.

Same model, batch size, learning rate and epochs as ``fit()`` by default. Run as a program it prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

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


def train(epochs: int, seed: int, workers: int, device: str) -> dict[str, float]:
    """Train as a tutorial would; gives samples per second of training alone, and test accuracy."""
    data = load_dataset("mnist-mini")
    with tempfile.TemporaryDirectory() as root:
        write_idx(Path(root) / "MNIST" / "raw", "train", data.train)
        write_idx(Path(root) / "MNIST" / "raw", "t10k", data.test)
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
        train_set = datasets.MNIST(root, train=True, transform=transform)
        test_set = datasets.MNIST(root, train=False, transform=transform)
    torch.manual_seed(seed)
    train_loader = DataLoader(
        train_set, batch_size=128, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    test_loader = DataLoader(test_set, batch_size=1000)
    model = create_model("cnn").to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seconds = 0.0
    for epoch in range(epochs):
        model.train()
        began = time.perf_counter()
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            loss.item()  # every tutorial prints it
        if epoch > 0 or epochs == 1:  # the first epoch warms up
            seconds += time.perf_counter() - began
    model.eval()
    with torch.no_grad():
        hits = sum((model(x.to(device)).argmax(1).cpu() == y).sum().item() for x, y in test_loader)
    return {
        "samples_per_second": len(train_set) * max(1, epochs - 1) / seconds,
        "accuracy": hits / len(test_set),
        "n": len(test_set),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    print(json.dumps(train(args.epochs, args.seed, args.workers, args.device)))
