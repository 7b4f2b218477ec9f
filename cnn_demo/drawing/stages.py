"""From a drawing, a pad picture or a photo to the picture that a network sees, with every stage. Imports no torch.

MNIST's digits were black-and-white scans, "size normalized to fit in a 20x20 pixel box while preserving their aspect
ratio" with anti-aliasing, then "centered in a 28x28 image by computing the center of mass of the pixels" (LeCun,
Cortes, Burges, the MNIST page). Networks trained on them see a drawing as a digit only if it was made in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_demo.drawing.ink import Blobs, Paper, find_ink_in_photo, find_ink_on_flat_paper, measure_stroke_width
from cnn_demo.drawing.pictures import as_picture, flatten
from cnn_demo.drawing.sheet import find_sheet
from cnn_demo.handwriting.mnist_frame import BOX, FAINT, FIELD, GrayImage, center_in_field, find_bounds, fit_box
from cnn_demo.locales import N_

if TYPE_CHECKING:
    from cnn_demo.datasets.specs import DatasetSpec

WARNINGS: dict[str, str] = {
    "empty": N_("Nothing is drawn."),
    "dot": N_("This is a dot, not a digit."),
    "thin": N_("The pen is very thin for the size of the digit."),
    "edge": N_("The drawing touches the edge and may be cut off."),
    "tiny": N_("The drawing is very small and is enlarged."),
    "several": N_("There seem to be several digits; one at a time is read."),
    "speck": N_("A speck away from the digit is left out."),
    "inverted": N_("The paper is light, so the picture is inverted."),
    "photo": N_("Uneven light is evened out, as for a photo."),
    "sheet": N_("A sheet is found in the picture; what lies around it is left out."),
    "ruled": N_("The lines of the paper are left out."),
}

_TITLES = {
    "luminance": N_("Brightness, as it came"),
    "ink": N_("Ink alone"),
    "squeezed": N_("As drawn, squeezed to 28 × 28"),
    "crop": N_("Cropped to the ink"),
    "box": N_("Longer side 20 pixels"),
    "centered": N_("As MNIST was made: center of mass in the middle"),
    "color": N_("The picture, as it came"),
    "resized": N_("Resized for the network"),
}

_NATIVE = 32  # pictures up to this side count as images of a data set: nothing in them is too faint or too small
_TINY = 0.12  # longer side of the ink, as a part of the pad's
_THIN = 0.7  # pixels of stroke at the network's scale


@dataclass(frozen=True)
class Stage:
    """One picture between drawing and network.

    Attributes:
        name: ``luminance``, ``ink``, ``squeezed``, ``crop``, ``box``, ``centered``; for other data sets than digits
            ``luminance`` or ``color``, and ``resized``.
        title: for people, in English (translated by the pages).
        image: ``(H, W)`` float32 in [0, 1], ink = 1 from the stage ``ink`` on; ``(H, W, 3)`` for a color data set.
    """

    name: str
    title: str
    image: NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare_stages` made of a picture.

    Attributes:
        stages: the pictures in order; the last one is what the network sees, before normalization.
        warnings: what a person may want to know: keys of :data:`WARNINGS`.
        crop: top, left, bottom, right (the last two exclusive) of the stage ``crop`` in the stage ``ink``; None where
            there is none.
    """

    stages: tuple[Stage, ...]
    warnings: tuple[str, ...]
    crop: tuple[int, int, int, int] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn; the last stage is then blank."""
        return "empty" in self.warnings


def prepare_stages(
    image: NDArray[np.generic] | Image.Image, spec: DatasetSpec, *, photo: bool | None = None
) -> Prepared:
    """Turn a picture into the picture that a network trained on ``spec`` expects.

    Digits (``spec.digits``): luminance, ink from paper of either shade, crop, 20-pixel box, center of mass to the
    middle of 28 × 28. An MNIST image is a fixed point. Other data sets: grayscale or color, resized, not centered.

    Args:
        image: array or Pillow image, see :func:`cnn_demo.drawing.pictures.as_picture`. The pad's RGBA array fits.
        spec: the data set of the network.
        photo: whether to even out the light; None: where the paper is not one shade.

    Raises:
        DrawingError: the picture cannot be used.
    """
    picture = flatten(as_picture(image))
    return _prepare_digit(picture, spec, photo) if spec.digits else _prepare_other(picture, spec)


def squeeze(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """``(H, W)`` or ``(H, W, 3)`` resized to ``size`` × ``size``, each pixel the mean of what it covers."""
    if image.shape[:2] == (size, size):
        return image
    if image.ndim == 3:
        return np.stack([squeeze(image[:, :, c], size) for c in range(image.shape[2])], axis=2)
    down = max(image.shape) > size
    filter_ = Image.Resampling.BOX if down else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((size, size), filter_), dtype=np.float32)


def _prepare_digit(picture: Image.Image, spec: DatasetSpec, photo: bool | None) -> Prepared:
    gray = np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)
    paper = Paper.from_gray(gray)
    sheet = None if paper.is_pad else find_sheet(gray)
    page = gray if sheet is None else sheet
    if sheet is not None:
        paper = Paper.from_gray(page)
    if photo is None:
        photo = not paper.flat
    on_light = None if sheet is None else True
    found_ink = find_ink_in_photo(page, on_light=on_light) if photo else find_ink_on_flat_paper(page, paper)
    ink = found_ink.image
    told = {"sheet": sheet is not None, "ruled": found_ink.ruled, "photo": photo, "inverted": found_ink.on_light}
    warnings = [warning for warning, holds in told.items() if holds]
    pictures = {"luminance": gray, "ink": ink, "squeezed": squeeze(ink, spec.size)}
    # At the size of MNIST itself every gray pixel belongs to the digit; on a pad faint ones are blur or compression.
    faint = 0.0 if max(ink.shape) <= _NATIVE else FAINT
    if not (ink > faint).any():
        blank = np.zeros((FIELD, FIELD), dtype=np.float32)
        return _collect({**pictures, "centered": blank}, ["empty", *warnings])
    digit, found = _find_digit(ink)
    top, left, bottom, right = find_bounds(digit, faint)
    crop = digit[top:bottom, left:right]
    box = fit_box(crop)
    if measure_stroke_width(crop) * BOX / max(crop.shape) < _THIN:
        found.append("thin")
    if (top == 0 or left == 0 or bottom == ink.shape[0] or right == ink.shape[1]) and max(ink.shape) > _NATIVE:
        found.append("edge")
    if _is_dot(crop):
        found.append("dot")
    elif max(crop.shape) < _TINY * max(ink.shape):
        found.append("tiny")
    pictures |= {"crop": crop, "box": box, "centered": center_in_field(box)}
    return replace(_collect(pictures, found + warnings), crop=(top, left, bottom, right))


def _find_digit(ink: GrayImage) -> tuple[GrayImage, list[str]]:
    """Leave out specks far from the digit: the ink that is left, and warnings about specks and several digits."""
    blobs = Blobs.find(ink)
    if len(blobs.area) < 2:
        return ink, []
    warnings = []
    main = int(blobs.area.argmax())
    top, left, bottom, right = blobs.box[main].tolist()
    reach = 0.3 * max(bottom - top, right - left)
    high, wide = blobs.box[:, 2] - blobs.box[:, 0], blobs.box[:, 3] - blobs.box[:, 1]
    apart = np.maximum(
        np.maximum(blobs.box[:, 0] - bottom, top - blobs.box[:, 2]),
        np.maximum(blobs.box[:, 1] - right, left - blobs.box[:, 3]),
    )
    small = np.maximum(high, wide) <= 0.2 * max(bottom - top, right - left)
    specks = small & (apart > reach) & (blobs.area < 0.05 * blobs.area[main])
    if specks.any() and max(ink.shape) > _NATIVE:
        ink, warnings = blobs.keep_only(ink, ~specks), ["speck"]
    tall = high >= 0.5 * high.max()
    order = np.argsort(blobs.box[tall, 1])
    lefts, rights = blobs.box[tall, 1][order], np.maximum.accumulate(blobs.box[tall, 3][order])
    if (lefts[1:] > rights[:-1]).any():
        warnings.append("several")
    return ink, warnings


def _is_dot(crop: GrayImage) -> bool:
    """A filled disc: about as high as wide, and no more than its bounding circle."""
    height, width = crop.shape
    return max(height, width) <= 1.4 * min(height, width) and float(crop.mean()) > 0.7


def _prepare_other(picture: Image.Image, spec: DatasetSpec) -> Prepared:
    mode = "L" if spec.channels == 1 else "RGB"
    values = np.asarray(picture.convert(mode), dtype=np.float32) / np.float32(255)
    warnings = ["empty"] if float(np.ptp(values)) < 1 / 255 else []
    pictures = {"luminance" if mode == "L" else "color": values}
    # The gray data sets are light on black, so a light sheet is inverted; their own images never are.
    if mode == "L" and picture.size != (spec.size, spec.size):
        border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
        if float(np.median(border)) > 0.5:
            values = 1 - values
            warnings.append("inverted")
    return _collect({**pictures, "resized": squeeze(values, spec.size)}, warnings)


def _collect(pictures: dict[str, NDArray[np.float32]], warnings: list[str]) -> Prepared:
    return Prepared(tuple(Stage(name, _TITLES[name], image) for name, image in pictures.items()), tuple(warnings))
