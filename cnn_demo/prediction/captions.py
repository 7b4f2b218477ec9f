"""Images and captions compared by a network that reads captions, and how well captions classify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.splits import Split
from cnn_demo.models.clip_small import ClipSmall
from cnn_demo.prediction.calibration import find_class_left_out
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.prediction.logits import BATCH, compute_logits


@dataclass(frozen=True, slots=True)
class CaptionScore:
    """How well a caption fits an image.

    Attributes:
        caption: as it was written.
        cosine: of the two embeddings, -1 to 1.
        probability: its share in the softmax over all captions that were compared, 0 to 1.
    """

    caption: str
    cosine: float
    probability: float


@dataclass(frozen=True, slots=True)
class HeldOutFigure:
    """How a class that was held out of training is found by its captions, among all classes.

    Attributes:
        label: the class.
        n: test images of it.
        found: of these, how many its captions fit best.
        others_n: test images of all other classes.
        others_right: of these, how many were given their class.
        others_taken: of these, how many were wrongly given the class that was held out.
    """

    label: int
    n: int
    found: int
    others_n: int
    others_right: int
    others_taken: int


def reads_captions(loaded: LoadedModel) -> bool:
    """Whether a network has a text encoder."""
    return isinstance(loaded.model, ClipSmall)


def _caption_model(loaded: LoadedModel) -> ClipSmall:
    if not isinstance(loaded.model, ClipSmall):
        raise TypeError(f"{loaded.ref} reads no captions: expected a network with a text encoder, such as clip-small")
    return loaded.model


def find_scale(loaded: LoadedModel) -> float:
    """By what the network multiplies a cosine before the softmax."""
    return _caption_model(loaded).scale.item()


@torch.no_grad()
def compare_captions(loaded: LoadedModel, image: Tensor, captions: Sequence[str]) -> list[CaptionScore]:
    """Compare an image with captions, in their order.

    Args:
        loaded: a network that :func:`reads_captions`.
        image: normalized, ``(1, C, H, W)``.
        captions: at least one.

    Raises:
        CaptionError: a caption is empty or too long.
        TypeError: the network reads no captions.
    """
    model = _caption_model(loaded)
    cosines = F.linear(model.embed_images(image), model.embed_captions(captions))[0]  # (1, D) × (M, D) -> (M,)
    shares = torch.softmax(cosines.double() * model.scale.double(), dim=0)
    rows = zip(captions, cosines.tolist(), shares.tolist(), strict=True)
    return [CaptionScore(caption, cosine, share) for caption, cosine, share in rows]


@torch.no_grad()
def count_found_by_captions(loaded: LoadedModel, split: Split, captions: Sequence[str]) -> int:
    """How many images of a split are given their class by one caption for each class, in the order of the classes.

    Raises:
        CaptionError: a caption is empty or too long.
        ValueError: another number of captions than of classes.
        TypeError: the network reads no captions.
    """
    model = _caption_model(loaded)
    if len(captions) != len(loaded.classes):
        raise ValueError(f"captions: expected {len(loaded.classes)}, one for each class, got {len(captions)}")
    prompts = model.embed_captions(captions)  # (K, D)
    found = 0
    for images, labels in zip(split.images.split(BATCH), split.labels.split(BATCH), strict=True):
        best = F.linear(model.embed_images(normalize(images, loaded.spec)), prompts).argmax(dim=1)  # (B, K) -> (B,)
        found += int((best == labels).sum())
    return found


def measure_held_out(loaded: LoadedModel, split: Split) -> HeldOutFigure | None:
    """The figure of the class that the network was never shown; None where it was shown all.

    The class is asked about as all others are: by the mean of its captions, among all classes.

    Args:
        loaded: any network.
        split: labeled images of its data set that it was not trained on.
    """
    label = find_class_left_out(loaded.model)
    if label is None:
        return None
    best = compute_logits(loaded.model, split.images, loaded.spec).argmax(dim=1)
    of_it = split.labels == label
    return HeldOutFigure(
        label=label,
        n=int(of_it.sum()),
        found=int((best[of_it] == label).sum()),
        others_n=int((~of_it).sum()),
        others_right=int((best == split.labels)[~of_it].sum()),
        others_taken=int((best[~of_it] == label).sum()),
    )
