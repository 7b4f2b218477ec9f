"""From a reference to a network: one way to load, one cache for everybody in this process.

Start reading at :func:`load_model`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.models.imagenet import PhotoModel, photo_model
from cnn_demo.models.registry import MODELS, create_configured_model
from cnn_demo.prediction.shipped import SHIPPED
from cnn_demo.prediction.source import CheckpointSource, find_checkpoint
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.reference import ModelRef
from cnn_demo.settings.stored import load_stored_config
from cnn_demo.training.snapshot import META, WEIGHTS, CheckpointUnreadable, read_meta, read_tensors

CACHE_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network in eval mode on the CPU, with no gradients wanted.

    Share it as you like, and never change it: for training, hooks or another device make a copy.

    Attributes:
        ref: which network; a run always with its step.
        model: maps normalized images ``(N, C, H, W)`` to logits ``(N, classes)``.
        spec: the data set whose images it takes. A network for photographs has one made from its weights.
        folder: where what is found out about the network is kept: the folder of its run, or that of all runs.
        step: optimizer steps behind the weights; 0 for a network that was not trained here.
        epoch: passes over the training images.
        meta: the JSON of its checkpoint; empty where there is none.
        path: the folder of its checkpoint; None where there is none.
        photo: how it prepares a photograph; None for a network of a data set.
        trained_as: see :attr:`config`; None for a network for photographs.
    """

    ref: ModelRef
    model: nn.Module
    spec: DatasetSpec
    folder: Path
    step: int = 0
    epoch: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    photo: PhotoModel | None = None
    trained_as: TrainConfig | None = None

    @property
    def key(self) -> str:
        """Names the network and its weights."""
        return str(self.ref)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.spec.classes

    @property
    def file_name(self) -> str:
        """The key as part of the name of a file."""
        return self.key.replace("@", "-step-").replace(":", "-")

    @property
    def run_id(self) -> str:
        """The id of its run, or ``shipped`` and the like."""
        return self.ref.name if self.ref.kind == "run" else str(self.ref)

    @property
    def config(self) -> TrainConfig:
        """How it was trained, or would be.

        Raises:
            ValueError: a network for photographs, which nobody trains here.
        """
        if self.trained_as is None:
            raise ValueError(f"{self.ref} has no settings: it was not trained here")
        return self.trained_as

    @property
    def pretrained(self) -> bool:
        """False where the weights are random."""
        return self.ref.kind != "untrained" and self.ref.name != "random"

    def normalize(self, image: np.ndarray) -> Tensor:
        """A picture as the network sees it, ``(C, H, W)`` uint8, to its input ``(1, C, H, W)`` float32."""
        return normalize(torch.from_numpy(np.ascontiguousarray(image))[None], self.spec)

    @property
    def nbytes(self) -> int:
        """Bytes of all weights and buffers."""
        return sum(t.nbytes for t in (*self.model.parameters(), *self.model.buffers()))


class ModelCache:
    """Networks that were loaded. The least recently used leave when all together weigh more than ``budget`` bytes.

    The one used last stays even when it alone is heavier. Several threads that ask for one network load it once.
    """

    def __init__(self, budget: int = CACHE_BYTES) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._loads: OrderedDict[Hashable, Future[LoadedModel]] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], LoadedModel]) -> LoadedModel:
        """The network kept under ``key``, else what ``load`` gives. A failed load is not kept."""
        with self._lock:
            future = self._loads.get(key)
            first = future is None
            if future is None:
                future = self._loads[key] = Future()
            self._loads.move_to_end(key)
        if first:
            try:
                future.set_result(load())
            except BaseException as error:
                with self._lock:
                    self._loads.pop(key, None)
                future.set_exception(error)
                raise
            self._shrink()
        return future.result()

    @property
    def nbytes(self) -> int:
        """Bytes of the networks that are kept."""
        with self._lock:
            return sum(self._sizes().values())

    def _sizes(self) -> dict[Hashable, int]:
        done = {key: future for key, future in self._loads.items() if future.done() and future.exception() is None}
        return {key: future.result().nbytes for key, future in done.items()}

    def _shrink(self) -> None:
        with self._lock:
            sizes = self._sizes()
            total = sum(sizes.values())
            for key in list(sizes)[:-1]:
                if total <= self.budget:
                    break
                total -= sizes[key]
                del self._loads[key]


_cache = ModelCache()


def load_model(ref: ModelRef, source: CheckpointSource) -> LoadedModel:
    """The network that a reference names, from the cache where it is there.

    Args:
        ref: which network.
        source: knows the checkpoints of runs.

    Raises:
        RunNotFound: the run does not exist.
        CheckpointUnreadable: it has no such checkpoint, or the files are missing or damaged.
        WeightsUnavailable: the ImageNet weights could not be fetched.
        UnknownName: ``untrained:NAME`` with a name that is no model.
    """
    if ref.kind == "untrained":
        return _cache.get((source.home, ref), lambda: _create_untrained(ref, source.home))
    if ref.kind == "imagenet":
        return _cache.get((source.home, ref), lambda: _load_photo_network(ref, source.home))
    path, folder = SHIPPED, source.home
    if ref.kind == "run":
        checkpoint = find_checkpoint(ref, source)
        folder = source.home / ref.name
        if checkpoint is None:
            wanted = "checkpoint yet" if ref.step is None else "such checkpoint"
            raise CheckpointUnreadable(folder, f"{ref}: the run has no {wanted}")
        path, ref = checkpoint.path, ref.at(checkpoint.step)
    try:
        # Another file under the same name (the run started afresh) is another network.
        written = (path / META).stat().st_mtime_ns
        return _cache.get((path, written), lambda: load_folder(path, ref, folder))
    except CheckpointUnreadable as error:
        raise CheckpointUnreadable(path, f"{ref}: {error.reason}") from error
    except OSError as error:
        raise CheckpointUnreadable(path, f"{ref}: {error}") from error


def load_folder(path: Path, ref: ModelRef | None = None, folder: Path | None = None) -> LoadedModel:
    """Rebuild the model of a checkpoint folder; needs neither pickle nor the run store. Not from the cache.

    Args:
        path: the folder.
        ref: how the network is called; by default after the folder.
        folder: where what is found out about it is kept; by default ``path``.

    Raises:
        CheckpointUnreadable: a file is missing or damaged, or the weights do not fit the model.
    """
    meta = read_meta(path)
    weights = read_tensors(path, WEIGHTS, meta)
    try:
        stored = load_stored_config(meta["config"])  # of any version
        if stored.unknown.keys() & {"dataset", "model"}:  # a default in their place would be another network
            raise ValueError(stored.problem)
        config = stored.config
        spec = get_spec(config.dataset)
        model = _build(config, spec)
        model.load_state_dict(weights)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointUnreadable(path, str(error)) from error
    ref = ref or ModelRef("run", path.name, meta["step"])
    epoch = meta.get("epoch", 0.0)
    return LoadedModel(ref, _freeze(model), spec, folder or path, meta["step"], epoch, meta, path, trained_as=config)


def _create_untrained(ref: ModelRef, home: Path) -> LoadedModel:
    spec = get_spec("mnist-mini")
    config = TrainConfig(dataset=spec.name, model=MODELS.get(ref.name).name)
    return LoadedModel(ref, _freeze(_build(config, spec)), spec, home, trained_as=config)


def _load_photo_network(ref: ModelRef, home: Path) -> LoadedModel:
    found = photo_model(pretrained=ref.name != "random")
    spec = DatasetSpec(
        name="imagenet",
        title="ImageNet",
        classes=found.classes,
        channels=3,
        size=224,
        mean=found.mean,
        std=found.std,
        statistics="those that belong to the weights",
        train_size=0,
        test_size=0,
        train_title="",
        test_title="",
        source="torchvision",
        license="",
        digits=False,
        download_bytes=0,
    )
    return LoadedModel(ref, _freeze(found.model), spec, home, photo=found)


def _build(config: TrainConfig, spec: DatasetSpec) -> nn.Module:
    """A fresh model, the same each time; the random state outside is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create_configured_model(config, spec)


def _freeze(model: nn.Module) -> nn.Module:
    return model.eval().requires_grad_(False)
