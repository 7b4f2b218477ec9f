"""The functions of scipy.ndimage that the preparation of pictures uses, on NumPy alone; a test holds them equal.

Names, arguments and the treatment of edges are SciPy's. Windows have an odd size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]
_EDGES: dict[str, Any] = {"reflect": "symmetric", "nearest": "edge"}  # what NumPy calls them


def _list_windows(image: Array, size: int, axis: int, mode: str) -> Array:
    """A last axis with the neighbors of each value along one axis."""
    around = [(size // 2, size // 2) if d == axis else (0, 0) for d in range(image.ndim)]
    return sliding_window_view(np.pad(image, around, mode=_EDGES[mode]), size, axis=axis)


def _list_sizes(image: Array, size: int | Sequence[int]) -> list[int]:
    return [size] * image.ndim if isinstance(size, int) else list(size)


def uniform_filter(image: Array, size: int, mode: str = "reflect") -> Array:
    """The mean of the square around each value."""
    for axis in range(image.ndim):
        image = _list_windows(image, size, axis, mode).mean(axis=-1, dtype=np.float64).astype(image.dtype)
    return image


def maximum_filter1d(image: Array, size: int, axis: int) -> Array:
    """The largest neighbor along one axis."""
    return _list_windows(image, size, axis, "reflect").max(axis=-1)


def maximum_filter(image: Array, size: int | Sequence[int]) -> Array:
    """The largest value of the box around each."""
    for axis, one in enumerate(_list_sizes(image, size)):
        image = _list_windows(image, one, axis, "reflect").max(axis=-1)
    return image


def minimum_filter(image: Array, size: int | Sequence[int]) -> Array:
    """The smallest value of the box around each."""
    for axis, one in enumerate(_list_sizes(image, size)):
        image = _list_windows(image, one, axis, "reflect").min(axis=-1)
    return image


def grey_opening(image: Array, size: int | Sequence[int]) -> Array:
    """The smallest of each box, then the largest of those."""
    return maximum_filter(minimum_filter(image, size), size)


def grey_closing(image: Array, size: int | Sequence[int]) -> Array:
    """The largest of each box, then the smallest of those."""
    return minimum_filter(maximum_filter(image, size), size)


def _shift(mask: NDArray[np.bool_], offset: Sequence[int], outside: bool) -> NDArray[np.bool_]:
    """The mask moved by at most one along each axis."""
    framed = np.pad(mask, 1, constant_values=outside)
    return framed[tuple(slice(1 + d, 1 + d + n) for d, n in zip(offset, mask.shape, strict=True))]


def _list_neighbors(rank: int) -> list[list[int]]:
    """The steps to the next one along each axis."""
    return [[step if d == axis else 0 for d in range(rank)] for axis in range(rank) for step in (-1, 1)]


def binary_dilation(mask: NDArray[np.bool_], iterations: int = 1) -> NDArray[np.bool_]:
    """Also what lies next to the mask, as often as is said."""
    for _ in range(iterations):
        mask = np.any([mask, *(_shift(mask, step, False) for step in _list_neighbors(mask.ndim))], axis=0)
    return mask


def binary_erosion(mask: NDArray[np.bool_], iterations: int = 1, border_value: int = 0) -> NDArray[np.bool_]:
    """Only what has no neighbor outside the mask, as often as is said."""
    for _ in range(iterations):
        shifted = (_shift(mask, step, bool(border_value)) for step in _list_neighbors(mask.ndim))
        mask = np.all([mask, *shifted], axis=0)
    return mask


def binary_closing(mask: NDArray[np.bool_], iterations: int = 1) -> NDArray[np.bool_]:
    """Dilation, then erosion."""
    return binary_erosion(binary_dilation(mask, iterations), iterations)


def binary_fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Also what the mask surrounds."""
    labels, _count = label(np.pad(~mask, 1, constant_values=True))
    return (labels != labels[0, 0])[1:-1, 1:-1]


def label(mask: Array, structure: Array | None = None) -> tuple[NDArray[np.int32], int]:
    """Number the connected pieces of a mask of one or two dimensions, from 1 on, and count them.

    ``structure`` of ones connects diagonal neighbors too.
    """
    grid = np.atleast_2d(np.asarray(mask, dtype=bool))
    steps = [(-1, 0), (0, -1), (0, 1), (1, 0)]
    if structure is not None:
        steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    high, wide = grid.shape
    labels = np.zeros(grid.shape, dtype=np.int32)
    count = 0
    for y, x in zip(*(n.tolist() for n in np.nonzero(grid)), strict=True):
        if labels[y, x]:
            continue
        count += 1
        labels[y, x] = count
        waiting = [(y, x)]
        while waiting:
            row, column = waiting.pop()
            for dy, dx in steps:
                ny, nx = row + dy, column + dx
                if 0 <= ny < high and 0 <= nx < wide and grid[ny, nx] and not labels[ny, nx]:
                    labels[ny, nx] = count
                    waiting.append((ny, nx))
    return labels.reshape(np.shape(mask)), count


def find_objects(labels: NDArray[np.int32]) -> list[tuple[slice, slice]]:
    """The bounding box of each piece that :func:`label` numbered."""
    found = []
    for number in range(1, int(labels.max(initial=0)) + 1):
        y, x = np.nonzero(labels == number)
        found.append((slice(int(y.min()), int(y.max()) + 1), slice(int(x.min()), int(x.max()) + 1)))
    return found


def distance_transform_edt(mask: NDArray[np.bool_], return_distances: bool, return_indices: bool) -> NDArray[np.int32]:
    """For each place the row and column of the nearest one outside the mask: ``(2, H, W)``.

    Where two are equally near it may be another one than SciPy's.
    """
    if return_distances or not return_indices:
        raise NotImplementedError("only the places are worked out")
    places = np.indices(mask.shape, dtype=np.int32)
    # The nearest place outside lies at the edge of what is outside.
    edge = np.argwhere(~mask & binary_dilation(mask))
    wanted = np.argwhere(mask)
    for part in np.array_split(wanted, max(1, len(wanted) // 2000)):
        away = ((part[:, None].astype(np.int64) - edge[None]) ** 2).sum(axis=2)  # (part, edge)
        places[:, part[:, 0], part[:, 1]] = edge[away.argmin(axis=1)].T
    return places
