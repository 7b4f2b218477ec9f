"""Our few functions on NumPy against SciPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as scipy_ndimage

from cnn_demo.export.bundled import ndimage

RNG = np.random.default_rng(3)
IMAGES = [RNG.random(shape, dtype=np.float32) for shape in ((1, 9), (12, 7), (40, 61))]
MASKS = [RNG.random((33, 47)) > share for share in (0.2, 0.45, 0.6, 0.9)]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image.shape))
@pytest.mark.parametrize("size", [3, 5, 7])
def test_filters(image: np.ndarray, size: int) -> None:
    for mode in ("reflect", "nearest"):
        wanted = scipy_ndimage.uniform_filter(image, size, mode=mode)
        assert np.allclose(ndimage.uniform_filter(image, size, mode=mode), wanted, atol=2e-7)
    for name in ("maximum_filter", "minimum_filter", "grey_opening", "grey_closing"):
        for shape in (size, (size, 1)):
            found, wanted = getattr(ndimage, name)(image, shape), getattr(scipy_ndimage, name)(image, shape)
            assert np.array_equal(found, wanted), name
    wanted = scipy_ndimage.maximum_filter1d(image, size, axis=0)
    assert np.array_equal(ndimage.maximum_filter1d(image, size, axis=0), wanted)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: f"{mask.mean():.2f}")
def test_masks(mask: np.ndarray) -> None:
    for iterations in (1, 2, 3):
        assert np.array_equal(
            ndimage.binary_dilation(mask, iterations=iterations),
            scipy_ndimage.binary_dilation(mask, iterations=iterations),
        )
        for border in (0, 1):
            found = ndimage.binary_erosion(mask, iterations=iterations, border_value=border)
            wanted = scipy_ndimage.binary_erosion(mask, iterations=iterations, border_value=border)
            assert np.array_equal(found, wanted)
    assert np.array_equal(ndimage.binary_closing(mask, iterations=2), scipy_ndimage.binary_closing(mask, iterations=2))
    assert np.array_equal(ndimage.binary_fill_holes(mask), scipy_ndimage.binary_fill_holes(mask))
    assert np.array_equal(
        ndimage.binary_dilation(mask[0], iterations=2), scipy_ndimage.binary_dilation(mask[0], iterations=2)
    )


@pytest.mark.parametrize("mask", [*MASKS, np.zeros((5, 5), dtype=bool)], ids=lambda mask: f"{mask.mean():.2f}")
def test_connected_pieces(mask: np.ndarray) -> None:
    for structure in (None, np.ones((3, 3))):
        labels, count = ndimage.label(mask, structure=structure)
        wanted, wanted_count = scipy_ndimage.label(mask, structure=structure)
        assert count == wanted_count
        assert np.array_equal(labels, wanted)
        assert ndimage.find_objects(labels) == scipy_ndimage.find_objects(wanted)
    labels, count = ndimage.label(mask[0])
    wanted, wanted_count = scipy_ndimage.label(mask[0])
    assert count == wanted_count
    assert np.array_equal(labels, wanted)


@pytest.mark.parametrize("mask", MASKS[1:], ids=lambda mask: f"{mask.mean():.2f}")
def test_the_nearest_place_outside_is_as_near_as_scipys(mask: np.ndarray) -> None:
    found = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    wanted = scipy_ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    here = np.indices(mask.shape)
    assert np.array_equal(((found - here) ** 2).sum(axis=0), ((wanted - here) ** 2).sum(axis=0))
    assert not mask[tuple(found)].any()
