"""What one caller may ask for, and how much is taken in at a time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cnn_demo.drawing.pictures import MAX_UPLOAD_BYTES

MAX_BATCH = 64
_MOST_CLIENTS = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a service.

    Attributes:
        max_body_bytes: of one request.
        max_images: in one request.
        max_queue: images in work or waiting from which on a request is refused. A request that is let in may exceed it
            by its own images, so that 64 at once can be asked for.
        max_held_bytes: bodies of all requests together.
        rate: images a second for each client; 0 for no limit.
        burst: images that a client who was silent may send at once.
        deadline: seconds after which a request is given up, reading it included.
        window: seconds that a batch waits for images which are being prepared.
        threads: that prepare pictures.
    """

    max_body_bytes: int = MAX_UPLOAD_BYTES
    max_images: int = 64
    max_queue: int = 32
    max_held_bytes: int = 4 * MAX_UPLOAD_BYTES
    rate: float = 100.0
    burst: float = 256.0
    deadline: float = 10.0
    window: float = 0.005
    threads: int = 2


class Refused(Exception):
    """A request that is not taken.

    Attributes:
        status: of HTTP.
        kind: one word for programs.
        retry_after: whole seconds to wait; None where waiting does not help.
    """

    def __init__(self, status: int, kind: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.retry_after = status, kind, retry_after


class RateLimiter:
    """A bucket of images for each client: it holds ``burst``, and ``rate`` a second flow in.

    A request needs one image in the bucket. What more it holds is taken on credit, and the client waits until that is
    paid. Of many clients those seen longest ago are forgotten.

    Args:
        rate: images a second; 0 for no limit.
        burst: images that fit.
        clock: seconds that only grow.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> images, time

    def charge(self, client: str, images: int = 1) -> None:
        """Take images out of a client's bucket, on credit if need be."""
        if self._rate <= 0:
            return
        self._buckets[client] = (self._level(client) - images, self._clock())
        self._buckets.move_to_end(client)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)

    def measure_wait(self, client: str) -> float:
        """Seconds until the client may send the next image; 0 if at once."""
        return 0.0 if self._rate <= 0 else max(0.0, (1 - self._level(client)) / self._rate)

    def _level(self, client: str) -> float:
        images, then = self._buckets.get(client, (self._burst, self._clock()))
        return min(self._burst, images + (self._clock() - then) * self._rate)


class Ticket:
    """The place of one request in the service, from its first byte to its answer."""

    def __init__(self, admission: Admission, nbytes: int) -> None:
        self._admission, self.images, self.nbytes = admission, 1, nbytes

    def count_images(self, images: int) -> None:
        """Say how many images it turned out to hold.

        Raises:
            Refused: together with the others they are too many.
        """
        self._admission.check_queue(self._admission.images - self.images)
        self._admission.images += images - self.images
        self.images = images

    def leave(self) -> None:
        """Give the place back; a second time does nothing."""
        self._admission.images -= self.images
        self._admission.nbytes -= self.nbytes
        self.images = self.nbytes = 0


class Admission:
    """Counts what is in work or waits, and refuses at once what would be too much: nothing piles up.

    All calls come from the event loop's thread.

    Attributes:
        images: in work or waiting; 1 for a request that is still being read.
        nbytes: of the bodies held, or announced.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self.images, self.nbytes = limits, 0, 0

    def check_queue(self, images: int) -> None:
        """Whether one more request fits where so many images are in work.

        Raises:
            Refused: it does not.
        """
        if images >= self._limits.max_queue:
            raise Refused(503, "busy", "too many images are being worked on; try again later", retry_after=1)

    def enter(self, nbytes: int) -> Ticket:
        """Let a request in.

        Args:
            nbytes: of its body, or the most that it may have.

        Raises:
            Refused: the service is busy.
        """
        self.check_queue(self.images)
        if self.nbytes + nbytes > self._limits.max_held_bytes and self.nbytes:
            raise Refused(503, "busy", "too many bytes are being worked on; try again later", retry_after=1)
        self.images += 1
        self.nbytes += nbytes
        return Ticket(self, nbytes)
