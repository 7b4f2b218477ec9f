"""A small CLIP: an image encoder and a text encoder that put an image and its caption at the same place.

Radford and others, "Learning transferable visual models from natural language supervision", 2021, at the size of a
28 × 28 image. The text encoder reads bytes, so it needs no vocabulary and takes Chinese as it takes English.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_demo.models.captions import encode_caption, write_captions

WIDTH = 64  # D: numbers in an embedding, of an image as of a caption
_BYTES = 257  # 0 pads, 1 to 256 are the bytes
_FIRST_SCALE, _LARGEST_SCALE = 1 / 0.07, 100.0  # those of the paper


class Similarities(NamedTuple):
    """What the model gives in training.

    Attributes:
        values: ``(N, K, W)``: cosine of each image and each caption times the scale, for W wordings of K classes.
        classes: ``(K,)`` int64: which classes these are; a class that is held out is not among them.
    """

    values: Tensor
    classes: Tensor


class ImageEncoder(nn.Module):
    """A CNN of two blocks, then one linear layer: ``(N, C, H, W)`` to ``(N, D)``."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"size = {size}: two poolings need images of at least 4 × 4 pixels")
        self.conv1 = nn.Conv2d(channels, 32, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        # Behind the pooling: what all images have in common is taken away, or all embeddings would begin almost alike.
        self.norm2 = nn.BatchNorm2d(64)
        self.project = nn.Linear(64 * (size // 4) ** 2, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to embeddings ``(N, D)``, not yet of length 1."""
        x = self.pool1(self.relu1(self.norm1(self.conv1(x))))  # (N, C, 28, 28) -> (N, 32, 14, 14)
        x = self.norm2(self.pool2(self.relu2(self.conv2(x))))  # -> (N, 64, 7, 7)
        return self.project(torch.flatten(x, 1))  # -> (N, 3136) -> (N, D)


class TextEncoder(nn.Module):
    """Two convolutions along the bytes of a caption, then for each channel its largest value: where does not matter.

    After Kim, "Convolutional neural networks for sentence classification", 2014, on bytes (Zhang, Zhao and LeCun,
    "Character-level convolutional networks for text classification", 2015). A unit of the second convolution sees seven
    bytes: "three", or two Chinese characters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(_BYTES, 32, padding_idx=0)
        self.conv1 = nn.Conv1d(32, 64, kernel_size=5, padding=2)
        self.conv2 = nn.Conv1d(64, 64, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm1d(64)
        self.project = nn.Linear(64, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``(M, L)`` int64 to embeddings ``(M, D)``, not yet of length 1; padding at the end changes nothing."""
        is_byte = (tokens > 0)[:, None]  # (M, 1, L)
        x = self.embed(tokens).transpose(1, 2)  # (M, L) -> (M, L, 32) -> (M, 32, L)
        x = F.relu(self.conv1(x)) * is_byte  # (M, 64, L); what lies past the end stays 0
        x = F.relu(self.conv2(x)) * is_byte
        return self.project(self.norm(x.amax(dim=2)))  # (M, 64, L) -> (M, 64) -> (M, D)


def tokenize(captions: Sequence[str]) -> Tensor:
    """Captions as ``(M, L)`` int64: each byte plus 1, then 0 up to the length L of the longest.

    Raises:
        CaptionError: one of them is empty or too long.
    """
    encoded = [encode_caption(caption) for caption in captions]
    longest = max(map(len, encoded))
    return torch.tensor([[byte + 1 for byte in row] + [0] * (longest - len(row)) for row in encoded])


class CaptionClassifier(nn.Module):
    """An image encoder before fixed embeddings of classes ``(K, D)``, scaled: images to logits ``(N, K)``."""

    embeddings: Tensor

    def __init__(self, image: ImageEncoder, embeddings: Tensor) -> None:
        super().__init__()
        self.image = image
        self.register_buffer("embeddings", embeddings)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, K)``: scaled cosines."""
        return F.linear(F.normalize(self.image(images), dim=1), self.embeddings)


class ClipSmall(nn.Module):
    """Images and captions in one space, compared by the cosine of their embeddings.

    In evaluation it is a classifier: the logit of a class is the cosine of the image with the mean embedding of the
    captions of that class, times the learnt scale (the inverse of the temperature). In training it gives
    :class:`Similarities` with every single caption, for the objective ``contrastive``.
    """

    tokens: Tensor
    seen: Tensor

    def __init__(
        self, channels: int, size: int, classes: int, class_names: Sequence[str] = (), held_out: int = -1
    ) -> None:
        """Build it with fresh weights.

        Args:
            channels: color channels of the images.
            size: height and width of the images in pixels.
            classes: number of classes.
            class_names: what the classes are called; their numbers where nothing is given.
            held_out: the class whose captions are kept out of training; -1 for none.

        Raises:
            ValueError: the numbers do not fit together.
        """
        super().__init__()
        names = tuple(class_names) or tuple(map(str, range(classes)))
        if len(names) != classes:
            raise ValueError(f"class_names: expected {classes}, got {len(names)}")
        if not -1 <= held_out < classes:
            raise ValueError(f"held_out = {held_out}: expected -1 for none, or a class from 0 to {classes - 1}")
        self.image = ImageEncoder(channels, size)
        self.text = TextEncoder()
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))
        self.held_out = held_out
        # They follow from the data set, so they are no part of the weights: on another data set the captions are other
        # ones. (K, W, L) and (K,)
        tokens = tokenize([caption for name in names for caption in write_captions(name)])
        self.register_buffer("tokens", tokens.view(classes, -1, tokens.shape[1]), persistent=False)
        seen = [label for label in range(classes) if label != held_out]
        self.register_buffer("seen", torch.tensor(seen), persistent=False)

    @property
    def scale(self) -> Tensor:
        """By what a cosine is multiplied before the softmax: the inverse of the temperature, at most 100."""
        return self.log_scale.clamp(max=math.log(_LARGEST_SCALE)).exp()

    def embed_images(self, images: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to embeddings ``(N, D)`` of length 1."""
        return F.normalize(self.image(images), dim=1)

    def embed_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens ``(..., L)`` to embeddings ``(..., D)`` of length 1."""
        flat = self.text(tokens.flatten(0, -2))  # (..., L) -> (M, L) -> (M, D)
        return F.normalize(flat, dim=1).view(*tokens.shape[:-1], WIDTH)

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Captions to embeddings ``(M, D)`` of length 1.

        Raises:
            CaptionError: one of them is empty or too long.
        """
        return self.embed_tokens(tokenize(captions).to(self.tokens.device))

    def embed_classes(self) -> Tensor:
        """The mean embedding of the captions of each class, ``(K, D)``, of length 1."""
        return F.normalize(self.embed_tokens(self.tokens).mean(dim=1), dim=1)  # (K, W, D) -> (K, D)

    @torch.no_grad()
    def as_classifier(self) -> nn.Module:
        """What evaluation computes, with the captions embedded once for all: for a network that is taken away."""
        return CaptionClassifier(self.image, self.scale * self.embed_classes())

    def forward(self, images: Tensor) -> Tensor | Similarities:
        """Images ``(N, C, H, W)`` to logits ``(N, K)``; in training to :class:`Similarities`."""
        embedded = self.embed_images(images)  # (N, D)
        if not self.training:
            return F.linear(embedded, self.scale * self.embed_classes())
        captions = self.embed_tokens(self.tokens[self.seen])  # (K, W, D)
        cosines = F.linear(embedded, self.scale * captions.flatten(0, 1))  # (N, K * W)
        return Similarities(cosines.view(len(images), *captions.shape[:2]), self.seen)
