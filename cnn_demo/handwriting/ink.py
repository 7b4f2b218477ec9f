"""From a gray picture to ink: which way round, how uneven the light, what is a speck and what is the digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

Gray = NDArray[np.float32]  # (H, W) in [0, 1]

BOX = 20  # the longer side of an MNIST digit, in pixels
FIELD = 28
CENTER = 14.0  # the pixel, counted from 0, on which MNIST puts the center of mass

FAINT = 0.1  # ink below this part of the strongest does not count as drawn
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
    def of(cls, gray: Gray) -> Paper:
        """The paper of a gray picture ``(H, W)``."""
        counts = np.bincount((gray * 255 + np.float32(0.5)).astype(np.uint8).ravel(), minlength=256)
        level = int(counts.argmax())
        near = counts[max(level - 2, 0) : level + 3].sum()
        return cls(level / 255, float(counts[level] / gray.size), float(near / gray.size))

    @property
    def flat(self) -> bool:
        """Whether it is one even shade, as on a pad or a screenshot, and not a photo."""
        return self.near >= _FLAT_SHARE


def ink_from_flat(gray: Gray, paper: Paper) -> tuple[Gray, bool]:
    """Ink on even paper: the distance from the paper's shade, the strongest 1.

    Returns:
        ``(ink, light)``: ``(H, W)`` in [0, 1], all 0 where nothing stands out; whether the paper is the light side.
    """
    away = np.abs(gray - np.float32(paper.shade))
    strongest = float(away.max())
    light = float(gray.max()) - paper.shade < paper.shade - float(gray.min())
    if strongest < _LEAST_CONTRAST:
        return np.zeros_like(gray), light
    # Where most of the paper has its shade to the bit there is no grain.
    grain = 4 * float(np.median(away)) if paper.exact < 0.5 else 0.0
    if grain > 0:
        away = np.where(away > grain, away, np.float32(0))
    return np.minimum(away / np.float32(strongest), np.float32(1)), light


def ink_from_photo(gray: Gray) -> tuple[Gray, bool]:
    """Ink on a photographed sheet: the light is evened out, paper grain and table edges are dropped.

    The paper's light is the gray closing of the picture (for dark ink), a smooth upper envelope; ink is what absorbs
    light relative to it, cut at Otsu's threshold ("A threshold selection method from gray-level histograms", 1979) with
    a soft edge.

    Returns:
        ``(ink, light)`` as in :func:`ink_from_flat`.
    """
    light = _paper_is_light(gray)
    page = torch.from_numpy(gray if light else 1 - gray)[None, None]  # (1, 1, H, W), ink dark
    page = functional.avg_pool2d(functional.pad(page, (1, 1, 1, 1), mode="replicate"), 3, 1)
    paper = _paper(page)
    absorbed = ((paper - page) / paper.clamp_min(0.1)).clamp(0, 1)[0, 0].numpy()
    absorbed = np.maximum(absorbed - np.float32(np.median(absorbed)), np.float32(0))
    threshold = _otsu(absorbed)
    above = absorbed[absorbed > threshold]
    strongest = float(np.percentile(above, 97)) if above.size else 0.0
    if strongest < _LEAST_PHOTO_CONTRAST:
        return np.zeros_like(gray), light
    # Where the pen is fine, Otsu's threshold lies within the grain.
    low = max(0.7 * threshold, 0.3 * strongest)
    level = float(np.percentile(absorbed[absorbed > low], 80))
    ink = np.clip((absorbed - low) / max(0.85 * level - low, 1e-6), 0, 1).astype(np.float32)
    return _without_litter(ink), light


def _paper_is_light(gray: Gray) -> bool:
    """The paper has the larger area, so ink is the longer tail around the local median."""
    small = np.asarray(Image.fromarray(gray).resize((48, 48), Image.Resampling.BOX), dtype=np.float32)
    blocks = np.median(small.reshape(4, 12, 4, 12), axis=(1, 3))  # (4, 4)
    local = np.asarray(Image.fromarray(blocks.astype(np.float32)).resize((48, 48), Image.Resampling.BILINEAR))
    return float(((small - local) ** 3).sum()) <= 0


def _paper(page: torch.Tensor) -> torch.Tensor:
    """Gray closing by a square wider than any stroke, at a quarter of the resolution, smoothed: ``(1, 1, H, W)``."""
    height, width = page.shape[-2:]
    small = functional.interpolate(page, size=(max(height // 4, 1), max(width // 4, 1)), mode="area")
    reach = max(max(small.shape[-2:]) // 8, 1)
    closed = small
    for sign in (1, -1):
        for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
            closed = sign * functional.max_pool2d(sign * closed, kernel, stride=1, padding=padding)
    padded = functional.pad(closed, (reach,) * 4, mode="replicate")
    smooth = functional.avg_pool2d(padded, 2 * reach + 1, stride=1)
    return functional.interpolate(smooth, size=(height, width), mode="bilinear", align_corners=False)


def _otsu(values: Gray) -> float:
    """The threshold in [0, 1] that separates two classes with the largest variance between them."""
    counts = np.histogram(values, bins=128, range=(0, 1))[0].astype(np.float64)
    middle = (np.arange(128) + 0.5) / 128
    below = counts.cumsum()
    mass = (counts * middle).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * below / below[-1] - mass) ** 2 / (below * above)
    return float((np.nan_to_num(between).argmax() + 1) / 128)


def _without_litter(ink: Gray) -> Gray:
    """A photo's ink without grain, and without what runs out of the picture when something inside it does not."""
    blobs = Blobs.find(ink)
    if len(blobs.area) < 2:
        return ink
    inside = ~blobs.at_border
    largest = blobs.area[inside].max(initial=0)
    keep = blobs.area >= 0.03 * blobs.area.max()
    if largest >= 0.05 * blobs.area.max() and largest >= 0.001 * ink.size:
        keep = inside & (blobs.area >= 0.03 * largest)
    return blobs.only(ink, keep)


@dataclass(frozen=True)
class Blobs:
    """Connected pieces of ink, found on a mask of about 72 × 72 cells, so gaps of a cell or less do not part them.

    Attributes:
        labels: ``(h, w)`` int64, 0 for paper, else 1 + the index of the blob.
        cell: side of a mask cell in pixels of the picture.
        area: ``(n,)`` ink in pixels.
        box: ``(n, 4)`` top, left, bottom, right in cells, the last two exclusive.
        at_border: ``(n,)`` whether the blob touches the edge of the picture.
    """

    labels: NDArray[np.int64]
    cell: int
    area: NDArray[np.float64]
    box: NDArray[np.int64]
    at_border: NDArray[np.bool_]

    @classmethod
    def find(cls, ink: Gray) -> Blobs:
        """The blobs of an ink picture ``(H, W)``."""
        cell = max(1, round(max(ink.shape) / 72))
        drawn = Image.fromarray(np.where(ink > FAINT, ink, np.float32(0)))
        cells = np.asarray(drawn.reduce(cell), dtype=np.float64)  # mean ink of each cell
        labels = _label(cells > 0)
        high, wide = labels.shape
        count = int(labels.max())
        area = np.bincount(labels.ravel(), weights=cells.ravel(), minlength=count + 1)[1:].astype(np.float64) * cell**2
        box = np.zeros((count, 4), dtype=np.int64)
        rows, columns = np.nonzero(labels)
        which = labels[rows, columns] - 1
        box[:, :2] = max(high, wide)
        np.minimum.at(box[:, 0], which, rows)
        np.minimum.at(box[:, 1], which, columns)
        np.maximum.at(box[:, 2], which, rows + 1)
        np.maximum.at(box[:, 3], which, columns + 1)
        border = (box[:, 0] == 0) | (box[:, 1] == 0) | (box[:, 2] == high) | (box[:, 3] == wide)
        return cls(labels, cell, area, box, border)

    def only(self, ink: Gray, keep: NDArray[np.bool_]) -> Gray:
        """The ink of some blobs: ``keep`` is ``(n,)``."""
        kept = np.concatenate([[False], keep])[self.labels]
        mask = kept.repeat(self.cell, 0).repeat(self.cell, 1)[: ink.shape[0], : ink.shape[1]]
        return np.where(mask, ink, np.float32(0))


def _label(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the 8-connected components of a mask from 1, by joining runs of neighboring rows."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(edges == 1).tolist(), np.argwhere(edges == -1).tolist()
    parent = list(range(len(starts)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above: list[int] = []
    current: list[int] = []
    row = -1
    for run, (y, left) in enumerate(starts):
        if y != row:
            above, current = (current if y == row + 1 else []), []
            row = y
        current.append(run)
        right = ends[run][1]
        for other in above:
            if starts[other][1] <= right and left <= ends[other][1]:
                parent[root(run)] = root(other)
    labels = np.zeros(mask.shape, dtype=np.int64)
    number: dict[int, int] = {}
    for run, (y, left) in enumerate(starts):
        labels[y, left : ends[run][1]] = number.setdefault(root(run), len(number) + 1)
    return labels


def bounds(ink: Gray, above: float) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (the last two exclusive) of what is stronger than ``above``; ink must not be empty."""
    rows = np.flatnonzero((ink > above).any(axis=1))
    columns = np.flatnonzero((ink > above).any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def stroke_width(ink: Gray) -> float:
    """The mean width of the strokes in pixels: twice the area over the length of the outline.

    The outline's length comes from counting its crossings with lines in four directions (the Cauchy-Crofton formula).
    """
    padded = np.pad(ink, 1)
    straight = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    slanted = np.abs(padded[1:, 1:] - padded[:-1, :-1]).sum() + np.abs(padded[1:, :-1] - padded[:-1, 1:]).sum()
    outline = np.pi / 8 * (float(straight) + float(slanted) / np.sqrt(2))
    return 2 * float(ink.sum()) / max(outline, 1e-6)


def fit_box(crop: Gray) -> Gray:
    """Scale so that the longer side is 20 pixels, with anti-aliasing: ``(H, W)`` to ``(h, w)``.

    Bicubic, because of Pillow's filters it comes closest to what MNIST's makers used: MNIST digits turned into black
    and white at ten times their size and scaled down again differ least from the originals (root mean square 0.039 of
    1, box 0.044, triangle 0.046; 400 training digits). A crop that already has this size is returned as it is, also one
    of 19 pixels, as three MNIST digits in 20,000 have. The strongest ink is 1 again afterwards, as in every MNIST
    digit: a pen finer than a pixel of the small picture would otherwise fade.
    """
    height, width = crop.shape
    if BOX - 1 <= max(height, width) <= BOX:
        return crop
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    small = np.clip(small, 0, 1)
    return small / max(float(small.max()), 1e-6)


def center_of_mass(ink: Gray) -> tuple[float, float]:
    """The center of mass ``(y, x)`` in pixel indices from 0; ink must not be empty."""
    total = float(ink.sum())
    y = float(ink.sum(axis=1) @ np.arange(ink.shape[0], dtype=np.float32)) / total
    x = float(ink.sum(axis=0) @ np.arange(ink.shape[1], dtype=np.float32)) / total
    return y, x


def center_in_field(small: Gray) -> Gray:
    """Put ink ``(h, w)``, at most 28 × 28, into a 28 × 28 field with the center of mass on pixel (14, 14).

    The shift is by whole pixels, as in MNIST, where every digit's center of mass lies within half a pixel of (14, 14).
    """
    height, width = small.shape
    y, x = center_of_mass(small)
    top = min(max(int(np.floor(CENTER - y + 0.5)), 0), FIELD - height)
    left = min(max(int(np.floor(CENTER - x + 0.5)), 0), FIELD - width)
    field = np.zeros((FIELD, FIELD), dtype=np.float32)
    field[top : top + height, left : left + width] = small
    return field
