"""The model, its optimizer and its data on one device: everything that one training step touches."""

from __future__ import annotations

import importlib.util
import logging
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import DeviceDataset, normalize
from cnn_demo.datasets.load import Dataset
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import NO_CLASS, Split, stratified_split
from cnn_demo.models.registry import count_parameters, create_model
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.device import (
    autocast_dtype,
    check_precision,
    is_out_of_memory,
    keep_freed_memory,
    resolve_device,
)
from cnn_demo.training.ema import ModelEma
from cnn_demo.training.errors import ResumeError

log = logging.getLogger(__name__)

# Below this many steps the minute that the compiler takes is not earned back.
_COMPILE_FROM_STEPS = 2000
_MOVED = "moved"  # what the optimizer moves, in a snapshot whose weights are their running mean
COLLECTION_SHARE = 0.2  # of an epoch's samples: the drawings that were corrected; the rest is the data set, replayed


class Learner:
    """One model in training.

    Attributes:
        model: what the optimizer moves.
        mean: the running mean of its weights, where the config asks for one.

    Raises:
        ConfigError: the device or the precision is not to be had on this machine.
    """

    def __init__(
        self, config: TrainConfig, data: Dataset, start: dict[str, Tensor] | None = None, more: Split | None = None
    ) -> None:
        self.config = config
        self.device = resolve_device(config.device)
        check_precision(config, self.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        self._load(data, more)
        torch.manual_seed(config.seed)
        model = create_model(
            config.model, channels=data.spec.channels, size=data.spec.size, classes=len(data.spec.classes)
        )
        memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=memory_format).train()  # type: ignore[call-overload]
        if start is not None:
            self._start_from(start)
        self.parameters = count_parameters(self.model)
        self.optimizer = torch.optim.AdamW(  # without weight decay it is Adam
            self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler("cuda", enabled=config.precision == "fp16")
        self._forward = self._loss_and_hits
        self.compiled = self._wants_compiling() and self._compile()
        self.mean = ModelEma(self.model, config.ema) if config.ema else None

    def _start_from(self, weights: dict[str, Tensor]) -> None:
        try:
            self.model.load_state_dict(weights)
        except RuntimeError as error:
            raise ConfigError("init", self.config.init, f"weights of a {self.config.model}: {error}") from error

    def _load(self, data: Dataset, more: Split | None) -> None:
        train, held_out = data.train, None
        if self.config.val_fraction:
            train, held_out = stratified_split(data.train, self.config.val_fraction, self.config.seed)
        self.transform = None
        if self.config.augment == "handwriting":
            from cnn_demo.handwriting.samples import extra_samples  # only a run that augments imports these
            from cnn_demo.training.handwriting import Handwriting

            self.transform = Handwriting(data.spec)
            # Without a validation split nothing is chosen by this run, so it may learn every style of writing.
            all_styles = self.config.val_fraction == 0
            extra = extra_samples(data.spec, train, self.config.seed, all_styles=all_styles)
            if extra is not None:
                train = train.join(extra)
        if more is not None and len(more):
            train = train.join(repeated(more, len(train)))
        self.has_outliers = bool((train.labels == NO_CLASS).any())
        layout = self.config.channels_last
        self.train = DeviceDataset(train, data.spec, self.device, channels_last=layout)
        self.test = DeviceDataset(data.test, data.spec, self.device, channels_last=layout)
        self.val = (
            DeviceDataset(held_out, data.spec, self.device, channels_last=layout) if held_out is not None else None
        )
        self.index_device = self.device if self.train.on_device else torch.device("cpu")
        self.generator = torch.Generator(self.device)

    # -- one step ---------------------------------------------------------------------------------------------

    def step(self, number: int, index: Tensor, lr: float, seed: int) -> tuple[Tensor, Tensor]:
        """One optimizer step on the samples of ``index``.

        The loss of a sample is its cross-entropy. Of one that belongs to no class it is the Kullback-Leibler divergence
        from equal probabilities, and it counts as correct where no class is given half the probability.

        Args:
            number: which step this is, from 1.
            index: ``(B,)`` int64 positions in the training split.
            lr: the learning rate of this step.
            seed: decides dropout and augmentation of this step.

        Returns:
            Mean loss and number of correct answers of the batch before the update, as scalars on the device.
        """
        torch.manual_seed(seed)
        self.generator.manual_seed(seed)
        images, labels = self._batch(index)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        # A compiled graph is made for one shape; the short last batch takes the plain road.
        forward = self._forward if len(index) == self.config.batch_size else self._loss_and_hits
        if self.compiled:
            torch.compiler.cudagraph_mark_step_begin()
        loss, hits = forward(images, labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.mean is not None:
            self.mean.update(number)
        # A CUDA graph reuses its output buffers: keep copies.
        return loss.detach().clone(), hits.clone()

    def _batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        if self.transform is None:
            return self.train.batch(index)
        images, labels = self.train.raw(index)
        return normalize(self.transform(images.float() / 255, self.generator) * 255, self.train.spec), labels

    def _loss_and_hits(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        dtype = autocast_dtype(self.config.precision)
        with torch.autocast(self.device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            logits = self.model(images)
        logits = logits.float()
        if not self.has_outliers:
            return F.cross_entropy(logits, labels), (logits.detach().argmax(1) == labels).sum()
        return outlier_exposure(logits, labels)

    # -- compilation ------------------------------------------------------------------------------------------

    def _wants_compiling(self) -> bool:
        if self.config.compile == "auto":
            steps = len(self.train) * self.config.epochs // self.config.batch_size
            has_triton = importlib.util.find_spec("triton") is not None
            return self.device.type == "cuda" and has_triton and steps >= _COMPILE_FROM_STEPS
        return self.config.compile == "on"

    def _compile(self) -> bool:
        """Compile forward and loss, with CUDA graphs on a GPU. A failure leaves the eager road and says so."""
        if len(self.train) < self.config.batch_size:
            return False
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"
        before = {name: value.clone() for name, value in self.model.state_dict().items()}
        try:
            compiled = torch.compile(self._loss_and_hits, mode=mode)
            index = torch.arange(self.config.batch_size, device=self.index_device)
            for _ in range(3):  # warm-up, recording, replay
                loss, _ = compiled(*self._batch(index))
                self.scaler.scale(loss).backward()
                self.optimizer.zero_grad(set_to_none=True)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            log.warning("torch.compile is not to be had here, going on without it: %s", str(error).splitlines()[0])
            return False
        finally:
            self.optimizer.zero_grad(set_to_none=True)
            self.model.load_state_dict(before)  # running statistics moved during the warm-up
        self._forward = compiled
        return True

    # -- state ------------------------------------------------------------------------------------------------

    @property
    def eval_model(self) -> nn.Module:
        """The model that is evaluated and taken away: the running mean where there is one."""
        return self.model if self.mean is None else self.mean.model

    def state(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The live tensors of the judged model and of the optimizer (not copies).

        The optimizer's are Adam's, ``<parameter>.<key>``, and with a running mean also the weights that it moves,
        ``<name>.moved``.
        """
        names = {id(p): name for name, p in self.model.named_parameters()}
        optimizer = {
            f"{names[id(p)]}.{key}": value
            for p, state in self.optimizer.state.items()
            for key, value in state.items()
            if isinstance(value, Tensor)
        }
        if self.mean is not None:
            optimizer |= {f"{name}.{_MOVED}": value for name, value in self.model.state_dict().items()}
        return dict(self.eval_model.state_dict()), optimizer

    def scaler_state(self) -> dict[str, Any]:
        """The gradient scaler's state as plain numbers; empty when there is no scaler."""
        return self.scaler.state_dict()

    def load_state(self, weights: dict[str, Tensor], optimizer: dict[str, Tensor], scaler: dict[str, Any]) -> None:
        """Put a snapshot back.

        Raises:
            ResumeError: the tensors are not those of this model.
        """
        moved = weights
        if self.mean is not None:
            ending = f".{_MOVED}"
            moved = {name.removesuffix(ending): t for name, t in optimizer.items() if name.endswith(ending)}
        try:
            self.eval_model.load_state_dict(weights)
            self.model.load_state_dict(moved)
        except RuntimeError as error:
            raise ResumeError(f"the checkpoint does not fit model {self.config.model!r}: {error}") from error
        self.optimizer.state.clear()
        for name, parameter in self.model.named_parameters():
            state = {
                key: optimizer[f"{name}.{key}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{name}.{key}" in optimizer
            }
            if not state:
                continue  # a checkpoint from before the first step
            # Adam's fused kernel walks parameter and moments together: they must lie in memory alike.
            self.optimizer.state[parameter] = {
                "step": state["step"].to(self.device, torch.float32).clone(),
                "exp_avg": torch.empty_like(parameter).copy_(state["exp_avg"]),
                "exp_avg_sq": torch.empty_like(parameter).copy_(state["exp_avg_sq"]),
            }
        if scaler:
            self.scaler.load_state_dict(scaler)


def outlier_exposure(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and correct answers of a batch in which some samples belong to no class.

    Hendrycks, Mazeika, Dietterich, "Deep anomaly detection with outlier exposure", 2019: such a sample is pulled
    towards equal probabilities. Their cross-entropy is lowered by its least value, the logarithm of the
    number of classes, so that 0 is a perfect loss for every sample; the gradient is the same.

    Args:
        logits: ``(B, classes)`` float32.
        labels: ``(B,)`` int64, ``NO_CLASS`` for samples without a class.

    Returns:
        The mean loss and the number of correct answers, as scalars.
    """
    known = labels != NO_CLASS
    log_p = F.log_softmax(logits, dim=1)
    own = F.nll_loss(log_p, labels.clamp_min(0), reduction="none")
    spread = -log_p.mean(dim=1) - math.log(logits.shape[1])
    found = log_p.detach().max(dim=1)
    right = torch.where(known, found.indices == labels, found.values < math.log(0.5))
    return torch.where(known, own, spread).mean(), right.sum()


def repeated(few: Split, beside: int) -> Split:
    """Samples repeated in turn, so that beside ``beside`` others they make up :data:`COLLECTION_SHARE` of an epoch.

    A few drawings among thousands of images would otherwise hardly ever be seen. There are at least as many as given.
    """
    count = max(len(few), round(beside * COLLECTION_SHARE / (1 - COLLECTION_SHARE)))
    return few.take(torch.arange(count) % len(few))


def largest_batch(config: TrainConfig, spec: DatasetSpec, start: int) -> int | None:
    """The first of ``start, start/2, start/4 …`` whose forward and backward pass fits into the device's memory.

    Returns:
        The batch size, or None when not even one sample fits.
    """
    device = resolve_device(config.device)
    size = start
    while size >= 1:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if _fits(config, spec, size, device):
            return size
        size //= 2
    return None


def _fits(config: TrainConfig, spec: DatasetSpec, size: int, device: torch.device) -> bool:
    try:
        model: nn.Module = create_model(
            config.model, channels=spec.channels, size=spec.size, classes=len(spec.classes)
        ).to(device)
        images = torch.zeros(size, spec.channels, spec.size, spec.size, device=device)
        F.cross_entropy(model(images), torch.zeros(size, dtype=torch.int64, device=device)).backward()
        adam = torch.optim.Adam(model.parameters(), fused=True)
        adam.step()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return False
        raise
    return True
