"""ResNet-18 for photographs, pretrained on ImageNet, with its own transforms and class names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import denormalize


class WeightsUnavailable(RuntimeError):
    """The pretrained weights could not be fetched.

    Attributes:
        url: where they were looked for.
        reason: what went wrong, in words.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot fetch {url}: {reason}; random weights work without a network")
        self.url, self.reason = url, reason


@dataclass(frozen=True)
class PhotoModel:
    """A network for photographs.

    Attributes:
        model: from ``(N, 3, 224, 224)`` to logits ``(N, 1000)``, in evaluation mode.
        classes: the 1,000 names of ImageNet.
        pretrained: false when the weights are random: its answers then mean nothing, its geometry is the same.
        mean, std: of the normalization, for each color.
    """

    model: nn.Module
    classes: tuple[str, ...]
    pretrained: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    _transform: Callable[[Tensor], Tensor]

    def prepare(self, photo: Image.Image) -> tuple[np.ndarray, Tensor]:
        """A photograph as the network wants it, by the transforms that belong to the weights.

        Args:
            photo: any mode and size; the orientation that a camera noted is applied.

        Returns:
            ``(3, 224, 224)`` uint8, what the network sees, and ``(1, 3, 224, 224)`` float32, its normalized input.
        """
        upright = ImageOps.exif_transpose(photo).convert("RGB")
        pixels = torch.from_numpy(np.asarray(upright).copy()).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        ready = self._transform(pixels)
        seen = (denormalize(ready, self).clamp(0, 1) * 255).round().to(torch.uint8)
        return seen.numpy(), ready[None]


def photo_model(*, pretrained: bool = True, seed: int = 0) -> PhotoModel:
    """ResNet-18 with torchvision's default ImageNet weights, downloaded when they are needed and kept by torch.hub.

    Args:
        pretrained: false gives random weights, and needs no network.
        seed: decides the random weights.

    Raises:
        WeightsUnavailable: the download failed.
    """
    from torchvision.models import ResNet18_Weights, resnet18  # takes seconds, and only photographs need it

    weights = ResNet18_Weights.DEFAULT
    if pretrained:
        try:
            state = weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong checksum is a RuntimeError
            raise WeightsUnavailable(weights.url, str(getattr(error, "reason", error))) from error
        model = resnet18()
        model.load_state_dict(state)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = resnet18()
    transform = weights.transforms()
    return PhotoModel(
        model=model.eval(),
        classes=tuple(weights.meta["categories"]),
        pretrained=pretrained,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        _transform=transform,
    )
