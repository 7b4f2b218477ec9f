"""The service without HTTP: it prepares pictures in threads, batches their logits, judges, and changes its network.

All coroutines run on one event loop.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnn_demo.drawing.pictures import DrawingError, decode_picture
from cnn_demo.drawing.prepare import Drawing
from cnn_demo.serve.batching import Batcher, Logits
from cnn_demo.serve.engine import ServedNetwork
from cnn_demo.serve.limits import Admission, Limits, RateLimiter, Refused
from cnn_demo.serve.metrics import Metrics

log = logging.getLogger("cnn_demo.serve")

State = Literal["loading", "ready", "stopping"]


@dataclass(frozen=True)
class BadImage:
    """An image that could not be had out of the request.

    Attributes:
        kind: as of a ``DrawingError``.
        message: for people.
    """

    kind: str
    message: str


class Service:
    """Answers images with the network that it holds.

    Args:
        load: gives the network that is to be served now; called in a thread.
        is_newer: whether ``load`` would give another network than the one it is told; called in a thread.
        limits: of what is taken in.
        limiter: counts what each client sends; by default after ``limits``.
    """

    def __init__(
        self,
        load: Callable[[], ServedNetwork],
        is_newer: Callable[[ServedNetwork], bool] = lambda network: False,
        limits: Limits | None = None,
        limiter: RateLimiter | None = None,
    ) -> None:
        self._load, self._is_newer = load, is_newer
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.admission = Admission(self.limits)
        self.limiter = limiter or RateLimiter(self.limits.rate, self.limits.burst)
        self.network: ServedNetwork | None = None
        self._stopping = False
        self._reloading = asyncio.Lock()
        self._pool = ThreadPoolExecutor(self.limits.threads, thread_name_prefix="prepare")
        self._batcher = Batcher(self.limits.window, self.metrics.batch.observe)
        self.metrics.in_work.set_function(lambda: self.admission.images)
        self.metrics.held_bytes.set_function(lambda: self.admission.nbytes)
        self.metrics.ready.set_function(lambda: float(self.state == "ready"))

    @property
    def state(self) -> State:
        """Whether it can answer; while it stops it still answers what comes."""
        if self._stopping:
            return "stopping"
        return "loading" if self.network is None else "ready"

    @property
    def reloading(self) -> bool:
        """Whether a network is being loaded just now."""
        return self._reloading.locked()

    async def reload(self) -> bool:
        """Load the network that the reference means now, and change to it. Requests in work keep theirs.

        Returns:
            Whether the network was changed.

        Raises:
            Exception: whatever the loading raised; the network that was there goes on answering.
        """
        async with self._reloading:
            try:
                new = await asyncio.to_thread(self._load)
            except Exception:
                self.metrics.reloads.labels("failed").inc()
                raise
            old, self.network = self.network, new
            changed = old is None or old.mark != new.mark or old.describe() != new.describe()
            self.metrics.reloads.labels("changed" if changed else "same").inc()
            loaded = new.predictor.loaded
            self.metrics.network.clear()
            self.metrics.network.labels(loaded.run_id, str(loaded.step)).set(1)
            if changed:
                log.info("%s (step %d) answers now", loaded.key, loaded.step)
            return changed

    async def follow(self, seconds: float) -> None:
        """Look every so many seconds whether there is a newer checkpoint, and change to it; never ends."""
        while True:
            await asyncio.sleep(seconds)
            await self.reload_if_newer()

    async def reload_if_newer(self) -> bool:
        """Change to a newer network if there is one that can be loaded; says whether it did."""
        network = self.network
        try:
            if network is None or not await asyncio.to_thread(self._is_newer, network):
                return False
            return await self.reload()
        except Exception as error:  # a run that was deleted, a damaged file: what is there goes on answering
            log.warning("the newer network cannot be loaded: %s", error)
            return False

    def begin_stop(self) -> None:
        """Be no longer ready; what comes is still answered until the server closes."""
        self._stopping = True

    def close(self) -> None:
        """Finish what is in work and end the threads."""
        self._stopping = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._batcher.close()

    async def answer(self, images: Sequence[bytes | BadImage], *, stages: bool = False) -> dict[str, Any]:
        """The answers to images, each at its place; an image that is of no use gets an error there.

        Args:
            images: files, PNG or JPEG.
            stages: also answer at every stage of the preparation, with its picture.

        Raises:
            Refused: no network is loaded yet.
        """
        network = self.network
        if network is None:
            raise Refused(503, "loading", "the network is being loaded", retry_after=2)
        found = await asyncio.gather(*(self._answer_image(network, image, stages) for image in images))
        for answer in found:
            outcome = answer["error"]["kind"] if "error" in answer else answer["verdict"] or "uncalibrated"
            self.metrics.images.labels(outcome).inc()
        answers = [{"index": index, **answer} for index, answer in enumerate(found)]
        return {**network.describe(), "n": len(answers), "predictions": answers}

    async def _answer_image(self, network: ServedNetwork, image: bytes | BadImage, stages: bool) -> dict[str, Any]:
        if isinstance(image, BadImage):
            return _describe_error(image.kind, image.message)
        loop = asyncio.get_running_loop()
        try:
            drawing, future = await loop.run_in_executor(self._pool, self._prepare_and_submit, network, image, stages)
            logits = await asyncio.wrap_future(future)
            if not np.isfinite(logits).all():
                return _describe_error("not_finite", "the network's answer to this image is not a number")
            answer = network.describe_answer(drawing, logits)
            if stages:
                answer["stages"] = await loop.run_in_executor(self._pool, _encode_stages, network, drawing, logits)
        except DrawingError as error:
            return _describe_error(error.kind, error.detail)
        except Exception:
            log.exception("an image could not be answered")
            return _describe_error("failed", "this image could not be answered")
        return answer

    def _prepare_and_submit(self, network: ServedNetwork, image: bytes, stages: bool) -> Any:
        with self._batcher.preparing():
            drawing = network.predictor.prepare(decode_picture(image))
            inputs = network.collect_inputs(drawing, stages=stages)
            return drawing, self._batcher.submit(network.engine, inputs)


def _encode_stages(network: ServedNetwork, drawing: Drawing, logits: Logits) -> list[dict[str, Any]]:
    stages = network.describe_stages(drawing, logits)
    return [{**stage, "png": base64.b64encode(stage["png"]).decode("ascii")} for stage in stages]


def _describe_error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message}}
