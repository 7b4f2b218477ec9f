"""Ink in a gray picture: on even paper or in a photo, and the connected pieces that it consists of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from cnn_demo.drawing.ruling import remove_ruling
from cnn_demo.handwriting.mnist_frame import FAINT, GrayImage

_FLAT_SHARE = 0.45
_LEAST_CONTRAST = 0.06
_LEAST_PHOTO_CONTRAST = 0.12


@dataclass(frozen=True, slots=True)
class Paper:
    """What an even sheet would look like.

    Attributes:
        shade: the commonest gray, in [0, 1].
        exact: share of pixels that have exactly this gray (of 256).
        near: share of pixels within two gray levels of it.
    """

    shade: float
    exact: float
    near: float

    @classmethod
    def from_gray(cls, gray: GrayImage) -> Paper:
        """Measure the paper of a gray picture ``(H, W)``."""
        counts = np.bincount((gray * 255 + np.float32(0.5)).astype(np.uint8).ravel(), minlength=256)
        level = int(counts.argmax())
        near = counts[max(level - 2, 0) : level + 3].sum()
        return cls(level / 255, float(counts[level] / gray.size), float(near / gray.size))

    @property
    def flat(self) -> bool:
        """Whether it is one even shade, as on a pad or a screenshot, and not a photo."""
        return self.near >= _FLAT_SHARE

    @property
    def is_pad(self) -> bool:
        """Whether much of it is black to the bit, as the pad is and no photo of a table."""
        return self.shade == 0 and self.exact >= 0.3


@dataclass(frozen=True, slots=True)
class Ink:
    """The ink of a picture.

    Attributes:
        image: ``(H, W)`` in [0, 1], all 0 where nothing stands out.
        on_light: whether the paper is the light side.
        ruled: whether lines of the paper were taken away.
    """

    image: GrayImage
    on_light: bool
    ruled: bool = False


def find_ink_on_flat_paper(gray: GrayImage, paper: Paper) -> Ink:
    """Ink on even paper ``(H, W)``: the distance from the paper's shade, the strongest 1."""
    away, ruled = remove_ruling(np.abs(gray - np.float32(paper.shade)))
    strongest = float(away.max())
    light = float(gray.max()) - paper.shade < paper.shade - float(gray.min())
    if strongest < _LEAST_CONTRAST:
        return Ink(np.zeros_like(gray), light, ruled)
    # Where most of the paper has its shade to the bit there is no grain.
    grain = 4 * float(np.median(away)) if paper.exact < 0.5 else 0.0
    if grain > 0:
        away = np.where(away > grain, away, np.float32(0))
    return Ink(np.minimum(away / np.float32(strongest), np.float32(1)), light, ruled)


def find_ink_in_photo(gray: GrayImage, *, on_light: bool | None = None) -> Ink:
    """Ink on a photographed sheet: the light is evened out, paper grain and table edges are dropped.

    The paper's light is the gray closing of the picture (for dark ink), a smooth upper envelope; ink is what absorbs
    light relative to it, cut at Otsu's threshold ("A threshold selection method from gray-level histograms", 1979) with
    a soft edge. Lines of the paper are taken away before.

    Args:
        gray: ``(H, W)`` in [0, 1].
        on_light: whether the paper is the light side; None: what has the larger area is paper.
    """
    light = _paper_is_light(gray) if on_light is None else on_light
    page = ndimage.uniform_filter(gray if light else 1 - gray, 3, mode="nearest")  # ink dark
    paper = _estimate_paper(page)
    absorbed = np.clip((paper - page) / np.maximum(paper, np.float32(0.1)), 0, 1)
    absorbed = np.maximum(absorbed - np.float32(np.median(absorbed)), np.float32(0))
    absorbed, ruled = remove_ruling(absorbed)
    threshold = find_otsu_threshold(absorbed)
    above = absorbed[absorbed > threshold]
    strongest = float(np.percentile(above, 97)) if above.size else 0.0
    if strongest < _LEAST_PHOTO_CONTRAST:
        return Ink(np.zeros_like(gray), light, ruled)
    # Where the pen is fine, Otsu's threshold lies within the grain.
    low = max(0.7 * threshold, 0.3 * strongest)
    level = float(np.percentile(absorbed[absorbed > low], 80))
    ink = np.clip((absorbed - low) / max(0.85 * level - low, 1e-6), 0, 1).astype(np.float32)
    return Ink(_remove_litter(ink), light, ruled)


def _paper_is_light(gray: GrayImage) -> bool:
    """The paper has the larger area, so ink is the longer tail around the local median."""
    small = np.asarray(Image.fromarray(gray).resize((48, 48), Image.Resampling.BOX), dtype=np.float32)
    blocks = np.median(small.reshape(4, 12, 4, 12), axis=(1, 3))  # (4, 4)
    local = np.asarray(Image.fromarray(blocks.astype(np.float32)).resize((48, 48), Image.Resampling.BILINEAR))
    return float(((small - local) ** 3).sum()) <= 0


def _estimate_paper(page: GrayImage) -> GrayImage:
    """What the sheet would look like without ink: the gray closing by a square wider than any stroke, smoothed.

    It is found at a quarter of the resolution and enlarged again: ``(H, W)``.
    """
    height, width = page.shape
    quarter = (max(width // 4, 1), max(height // 4, 1))
    small = np.asarray(Image.fromarray(page).resize(quarter, Image.Resampling.BOX))
    window = 2 * max(max(quarter) // 8, 1) + 1
    smooth = ndimage.uniform_filter(ndimage.grey_closing(small, window), window, mode="nearest")
    return np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BILINEAR))


def find_otsu_threshold(values: GrayImage) -> float:
    """The threshold in [0, 1] that separates two classes with the largest variance between them."""
    counts = np.histogram(values, bins=128, range=(0, 1))[0].astype(np.float64)
    middle = (np.arange(128) + 0.5) / 128
    below = counts.cumsum()
    mass = (counts * middle).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * below / below[-1] - mass) ** 2 / (below * above)
    return float((np.nan_to_num(between).argmax() + 1) / 128)


def _remove_litter(ink: GrayImage) -> GrayImage:
    """A photo's ink without grain, and without what runs out of the picture when something inside it does not."""
    blobs = Blobs.find(ink)
    if len(blobs.area) < 2:
        return ink
    inside = ~blobs.at_border
    largest = blobs.area[inside].max(initial=0)
    keep = blobs.area >= 0.03 * blobs.area.max()
    if largest >= 0.05 * blobs.area.max() and largest >= 0.001 * ink.size:
        keep = inside & (blobs.area >= 0.03 * largest)
    return blobs.keep_only(ink, keep)


@dataclass(frozen=True)
class Blobs:
    """Connected pieces of ink, found on a mask of about 72 × 72 cells, so gaps of a cell or less do not part them.

    Attributes:
        labels: ``(h, w)`` int32, 0 for paper, else 1 + the index of the blob.
        cell: side of a mask cell in pixels of the picture.
        area: ``(n,)`` ink in pixels.
        box: ``(n, 4)`` top, left, bottom, right in cells, the last two exclusive.
        at_border: ``(n,)`` whether the blob touches the edge of the picture.
    """

    labels: NDArray[np.int32]
    cell: int
    area: NDArray[np.float64]
    box: NDArray[np.int64]
    at_border: NDArray[np.bool_]

    @classmethod
    def find(cls, ink: GrayImage) -> Blobs:
        """The blobs of an ink picture ``(H, W)``."""
        cell = max(1, round(max(ink.shape) / 72))
        drawn = Image.fromarray(np.where(ink > FAINT, ink, np.float32(0)))
        cells = np.asarray(drawn.reduce(cell), dtype=np.float64)  # mean ink of each cell
        labels, count = ndimage.label(cells > 0, structure=np.ones((3, 3)))  # diagonal neighbors are connected
        area = np.bincount(labels.ravel(), weights=cells.ravel(), minlength=count + 1)[1:] * cell**2
        box = np.array([(y.start, x.start, y.stop, x.stop) for y, x in ndimage.find_objects(labels)]).reshape(-1, 4)
        high, wide = labels.shape
        border = (box[:, 0] == 0) | (box[:, 1] == 0) | (box[:, 2] == high) | (box[:, 3] == wide)
        return cls(labels, cell, area, box, border)

    def keep_only(self, ink: GrayImage, keep: NDArray[np.bool_]) -> GrayImage:
        """The ink of some blobs: ``keep`` is ``(n,)``."""
        kept = np.concatenate([[False], keep])[self.labels]
        mask = kept.repeat(self.cell, 0).repeat(self.cell, 1)[: ink.shape[0], : ink.shape[1]]
        return np.where(mask, ink, np.float32(0))


def measure_stroke_width(ink: GrayImage) -> float:
    """The mean width of the strokes in pixels: twice the area over the length of the outline.

    The outline's length comes from counting its crossings with lines in four directions (the Cauchy-Crofton formula).
    """
    padded = np.pad(ink, 1)
    straight = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    slanted = np.abs(padded[1:, 1:] - padded[:-1, :-1]).sum() + np.abs(padded[1:, :-1] - padded[:-1, 1:]).sum()
    outline = np.pi / 8 * (float(straight) + float(slanted) / np.sqrt(2))
    return 2 * float(ink.sum()) / max(outline, 1e-6)
