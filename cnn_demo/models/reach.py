"""What units see of the image along one axis, worked out in whole numbers. Imports no torch.

The sizes follow Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019.
Images, windows and maps are square here, so one axis says it for both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """The receptive fields of all units along an axis.

    Attributes:
        bounds: for each unit its first pixel and one past its last, inside the image; equal where it sees padding only.
        size: pixels that a unit sees, borders left aside; None where units differ.
        stride: pixels between the fields of neighbors; None as for ``size``.
        start: first pixel of unit 0, negative in the padding; None as for ``size``.
    """

    bounds: tuple[tuple[int, int], ...]
    size: int | None = None
    stride: int | None = None
    start: int | None = None

    @classmethod
    def of_pixels(cls, length: int) -> Reach:
        """The image itself: each pixel sees itself."""
        return cls(tuple((i, i + 1) for i in range(length)), 1, 1, 0)

    @property
    def widest(self) -> int:
        """Pixels that a unit sees, the padding included where all units see equally many."""
        return self.size if self.size is not None else max(high - low for low, high in self.bounds)

    def through_window(self, kernel: int, stride: int, padding: int, dilation: int, count: int) -> Reach:
        """After a convolution or pooling with ``count`` units."""
        size = step = start = None
        if self.size is not None and self.stride is not None and self.start is not None:
            size, step = self.size + (kernel - 1) * dilation * self.stride, self.stride * stride
            start = self.start - padding * self.stride
        bounds = []
        for unit in range(count):
            places = range(unit * stride - padding, unit * stride - padding + kernel * dilation, dilation)
            seen = [self.bounds[i] for i in places if 0 <= i < len(self.bounds)]
            seen = [(low, high) for low, high in seen if low < high]
            bounds.append((min(low for low, _ in seen), max(high for _, high in seen)) if seen else (0, 0))
        return Reach(tuple(bounds), size, step, start)

    def joined(self) -> Reach:
        """One unit that sees whatever any unit sees."""
        seen = [(low, high) for low, high in self.bounds if low < high]
        low, high = min((low for low, _ in seen), default=0), max((high for _, high in seen), default=0)
        return Reach(((low, high),))

    def mixed(self) -> Reach:
        """Where every unit depends on all: each sees what any of them sees."""
        return Reach(self.joined().bounds * len(self.bounds))

    def union(self, other: Reach) -> Reach:
        """Where two paths meet; a single unit is spread over all."""
        count = max(len(self.bounds), len(other.bounds))
        first, second = (r.bounds * count if len(r.bounds) == 1 else r.bounds for r in (self, other))
        size = stride = start = None
        same = len(self.bounds) == len(other.bounds) and self.stride == other.stride
        if same and self.size and other.size and self.start is not None and other.start is not None:
            start, stride = min(self.start, other.start), self.stride
            size = max(self.start + self.size, other.start + other.size) - start
        return Reach(tuple(map(_hull, first, second)), size, stride, start)


def _hull(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    if a[0] >= a[1] or b[0] >= b[1]:
        return b if a[0] >= a[1] else a
    return min(a[0], b[0]), max(a[1], b[1])
