"""A model that could ship: the plain CNN, taught by networks of the preset ``record`` and by pen strokes.

``record``'s network reads MNIST better than a plain CNN that learns from labels did here, but knows no strokes of pens.
So the plain CNN learns two things at once:

- on MNIST's training images, changed at random and some of them mixed, to give the probabilities of the teachers' mean
  logits for exactly the same picture (Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", 2015;
  Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", 2022);
- on strokes of pens, digits written again and what is no digit (``cnn_demo.handwriting``), to give the label.

README.md tells how it fared and why it does not ship yet. Needs the full MNIST (CNN_DEMO_DATA names its folder) and
3 GB of memory. Nothing is chosen by the test images: they are read once, after the last step.

    python -m cnn_demo train --preset record --seed 0 --save TEACHER
    python -m benchmarks.distil_shipped OUT TEACHER...
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.common import machine
from cnn_demo.cli.output import versions
from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.samples import extra_samples
from cnn_demo.models.registry import create_model
from cnn_demo.prediction.logits import compute_logits
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.classification import Classification
from cnn_demo.training.ema import ModelEma
from cnn_demo.training.events import Snapshot
from cnn_demo.training.handwriting import DIGITS, augment
from cnn_demo.training.optimizers import create_optimizer
from cnn_demo.training.schedules import cosine_after_warmup
from cnn_demo.training.snapshot import load_snapshot, save_checkpoint

COMMENT = (
    "Not trained by these settings alone: benchmarks/distil_shipped.py taught it the answers of other networks to "
    "MNIST's training images."
)
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was written down before the training.

    Attributes:
        steps: optimizer steps.
        views: pictures that are made of each training image; each teacher answers each once.
        mixed: part of them in which two pictures are laid over each other, by parts that are uniform.
        taught, labelled: samples of a batch from the teachers and from the strokes.
        strokes: times that 60,000 strokes are made, each time others.
        temperature: what the student's and the teachers' logits are divided by where they are compared.
        warmup: part of the steps in which the rate rises.
    """

    steps: int = 42_000
    views: int = 14
    mixed: float = 0.3
    taught: int = 160
    labelled: int = 96
    strokes: int = 3
    temperature: float = 2.0
    warmup: float = 0.05
    dropout: float = 0.2


def make_views(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Change and mix images ``(n, 1, 28, 28)`` of bytes: as many others, bytes as well."""
    changed = augment(images.float() / 255, DIGITS, generator)
    share = torch.rand(len(images), 1, 1, 1, generator=generator)
    share[torch.rand(len(images), generator=generator) >= recipe.mixed] = 1.0
    partners = torch.randperm(len(images), generator=generator)
    return (torch.lerp(changed[partners], changed, share) * 255).round().to(torch.uint8)


def ask_teachers(
    teachers: list[nn.Module], data: Dataset, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """All views of the training images ``(n, 1, 28, 28)`` uint8, and the teachers' mean logits ``(n, 10)`` float16."""
    views, answers = [], []
    for number in range(recipe.views):
        order = torch.randperm(len(data.train), generator=generator)
        for rows in order.split(_CHUNK):
            views.append(make_views(data.train.images[rows], recipe, generator))
            with torch.autocast("cpu", torch.bfloat16):
                inputs = views[-1].contiguous(memory_format=torch.channels_last)
                told = [compute_logits(teacher, inputs, data.spec) for teacher in teachers]
            answers.append(torch.stack(told).mean(0).half())
        print(f"views {number + 1} of {recipe.views}", flush=True)
    return torch.cat(views), torch.cat(answers)


def make_strokes(data: Dataset, recipe: Recipe, seed: int) -> Split:
    """Strokes, digits written again and what is no digit, with their labels."""
    parts = []
    for number in range(recipe.strokes):
        part = extra_samples(data.spec, data.train, seed + number, all_styles=True)
        assert part is not None, "MNIST has digits"
        parts.append(part)
        print(f"strokes {number + 1} of {recipe.strokes}", flush=True)
    return Split(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))


def take_batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows of a set of ``count`` in random order, forever; each is taken once before any is taken again."""
    while True:
        for rows in torch.randperm(count, generator=generator).split(size):
            if len(rows) == size:
                yield rows


def train(
    student: nn.Module,
    config: TrainConfig,
    recipe: Recipe,
    taught: tuple[Tensor, Tensor],
    strokes: Split,
    data: Dataset,
) -> nn.Module:
    """Train, and give the running mean of the student's weights."""
    generator = torch.Generator().manual_seed(config.seed + 1)
    labelled = Classification(data.spec, "cpu")
    optimizer, ema = create_optimizer(config, student.parameters()), ModelEma(student, config.ema)
    views, answers = taught
    own, others = (
        take_batches(len(views), recipe.taught, generator),
        take_batches(len(strokes), recipe.labelled, generator),
    )
    hot, began, told = recipe.temperature, time.monotonic(), 0.0
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.lr * cosine_after_warmup(step, recipe.steps, recipe.warmup)
        rows, more = next(own), next(others)
        drawn = augment(strokes.images[more].float() / 255, DIGITS, generator)
        batch = torch.cat([views[rows], (drawn * 255).round().to(torch.uint8)])
        inputs = normalize(batch, data.spec).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = student(inputs)
        logits = logits.float()
        aims = (answers[rows].float() / hot).softmax(1)
        # The square keeps the gradient's size whatever the temperature.
        soft = F.kl_div((logits[: recipe.taught] / hot).log_softmax(1), aims, reduction="sum") * hot**2
        hard = labelled(logits[recipe.taught :], labelled.make_targets(strokes.labels[more]))[0] * recipe.labelled
        loss = (soft + hard) / len(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        ema.update(step + 1)
        told += float(loss.detach())
        if (step + 1) % 500 == 0:
            print(f"step {step + 1}, loss {told / 500:.4f}, {time.monotonic() - began:.0f} s", flush=True)
            told = 0.0
    return ema.model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="an empty folder or none, for the checkpoint")
    parser.add_argument("teachers", type=Path, nargs="+", help="folders that train --preset record --save wrote")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="fewer, to try it (default: %(default)s)")
    parser.add_argument("--views", type=int, default=Recipe().views, help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch (default: as many as it takes)")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(machine())
    recipe, data = Recipe(steps=args.steps, views=args.views), load_dataset("mnist", download=False)
    config = TrainConfig(
        dataset="mnist", model="cnn", epochs=1, batch_size=256, optimizer="adamw", lr=0.002, schedule="cosine-warmup",
        weight_decay=0.03, ema=0.9995, augment="handwriting", precision="bf16", seed=0, val_fraction=0.0, device="cpu",
        comment=COMMENT, options={"dropout": recipe.dropout, "warmup": recipe.warmup},
    )  # fmt: skip
    sources = [load_snapshot(folder, with_state=False) for folder in args.teachers]
    teachers = [create_model("cnn-unpadded").eval().to(memory_format=torch.channels_last) for _ in sources]
    for teacher, source in zip(teachers, sources, strict=True):
        teacher.load_state_dict(source.weights)
    began = time.monotonic()
    taught = ask_teachers(teachers, data, recipe, torch.Generator().manual_seed(config.seed))
    strokes = make_strokes(data, recipe, config.seed)
    torch.manual_seed(config.seed)
    student = create_model("cnn", dropout=recipe.dropout).to(memory_format=torch.channels_last)
    mean = train(student.train(), config, recipe, taught, strokes, data).eval()
    seconds = time.monotonic() - began
    right = int((compute_logits(mean, data.test.images, data.spec).argmax(1) == data.test.labels).sum())
    print(f"MNIST test, n = {len(data.test):,}: {right / len(data.test):.2%} right after {seconds:.0f} s")
    train_n = len(data.train) + len(strokes)
    epoch = recipe.steps * config.batch_size / train_n
    meta = {
        "step": recipe.steps,
        "config": asdict(config) | {"epochs": max(round(epoch), 1)},
        "train_n": train_n,
        "train_seconds": seconds,
        "versions": versions(),
        "distilled": {"from": [source.meta["sha256"] for source in sources], **asdict(recipe)},
        "test": {"dataset": "mnist", "accuracy": right / len(data.test), "n": len(data.test)},
    }
    print(save_checkpoint(args.out, Snapshot(recipe.steps, epoch, mean.state_dict(), {}, meta)))


if __name__ == "__main__":
    main()
