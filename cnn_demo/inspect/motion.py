"""An image shifted, rotated, scaled and made noisy, so that one can watch the maps follow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_demo.inspect.variations import Variation, vary


@dataclass(frozen=True, slots=True)
class Motion:
    """What is done to an image, in this order: scale and rotate about the center, shift, add noise.

    Attributes:
        right, down: pixels; may be fractions.
        angle: degrees, counter-clockwise.
        scale: above 0; 1 leaves the size.
        noise: standard deviation of Gaussian noise, in units of the pixel range 0 to 1.
        seed: decides the noise.
    """

    right: float = 0.0
    down: float = 0.0
    angle: float = 0.0
    scale: float = 1.0
    noise: float = 0.0
    seed: int = 0

    @property
    def still(self) -> bool:
        """Whether it leaves every image as it is."""
        return (self.right, self.down, self.angle, self.scale, self.noise) == (0, 0, 0, 1, 0)


def move_image(image: Tensor, motion: Motion) -> Tensor:
    """Apply a motion to one image.

    Args:
        image: ``(C, H, W)`` uint8.
        motion: what to do.

    Returns:
        ``(C, H, W)`` uint8; black where nothing was. Bilinear interpolation, as ``torch.nn.functional.grid_sample``.

    Raises:
        ValueError: a scale of 0 or less.
    """
    if motion.still:
        return image
    variation = Variation(angle=motion.angle, right=motion.right, down=motion.down, scale=motion.scale)
    pixels = vary(image.float() / 255, [variation])[0]
    if motion.noise > 0:
        generator = torch.Generator().manual_seed(motion.seed)
        pixels = pixels + motion.noise * torch.randn(pixels.shape, generator=generator)
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)
