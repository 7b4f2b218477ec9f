"""The model, its data, its optimizer: everything that one training step touches, and the step itself."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import torch
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import DeviceDataset, normalize
from cnn_demo.datasets.load import Dataset
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.models.registry import count_parameters, create_configured_model
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.augmentations import create_augmentation
from cnn_demo.training.device import autocast_dtype, is_out_of_memory, prepare_device
from cnn_demo.training.ema import ModelEma
from cnn_demo.training.errors import ResumeError
from cnn_demo.training.events import Preparing, say_nothing
from cnn_demo.training.objectives import create_objective
from cnn_demo.training.optimizers import create_optimizer
from cnn_demo.training.samples import prepare_samples
from cnn_demo.training.state import restore_optimizer
from cnn_demo.training.transfer import freeze_layers, hold_layers, load_first_weights

log = logging.getLogger(__name__)

# Compiling takes a minute; a shorter run does not earn it back.
_COMPILE_FROM_STEPS = 2000


class Trainer:
    """One model in training.

    Attributes:
        model: what the optimizer changes.
        ema: the running mean of its weights, where the config asks for one.
        train, test, val: the splits on the device; ``val`` is None without a validation split.
        parameters: number of learnt values, those of frozen layers included.
        objective: says what the targets are, and gives the loss and the number of correct answers.
        grad_norm: of the last step: the length of the gradient of all parameters, before clipping; a scalar on the
            device.

    ``preparing`` is told what takes long before the first step.

    Raises:
        ConfigError: this machine cannot do what the config asks for, or the initial weights are of another model.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Dataset,
        initial_weights: dict[str, Tensor] | None = None,
        extra_samples: Split | None = None,
        preparing: Preparing = say_nothing,
    ) -> None:
        self.config = config
        self.device = prepare_device(config)
        self.augmentation = create_augmentation(config, data.spec)
        train, held_out = prepare_samples(config, data, self.augmentation, extra_samples, preparing)
        self.train, self.test = self._put_on_device(train, data.spec), self._put_on_device(data.test, data.spec)
        self.val = self._put_on_device(held_out, data.spec) if held_out is not None else None
        self.index_device = self.device if self.train.on_device else torch.device("cpu")
        self.generator = torch.Generator(self.device)

        torch.manual_seed(config.seed)
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        model = create_configured_model(config, data.spec)
        self.model: nn.Module = model.to(self.device, memory_format=layout).train()  # type: ignore[call-overload]
        if initial_weights is not None:
            load_first_weights(self.model, initial_weights, config)
        self.parameters = count_parameters(self.model)
        self._held = freeze_layers(self.model, config)
        self.objective = create_objective(config.model, data.spec, self.device)
        self.optimizer = create_optimizer(config, (p for p in self.model.parameters() if p.requires_grad))
        self.grad_norm = torch.zeros((), device=self.device)
        self.scaler = torch.amp.GradScaler("cuda", enabled=config.precision == "fp16")
        self.compiled = self._wants_compiling() and self._compile(preparing)
        self.ema = ModelEma(self.model, config.ema) if config.ema else None

    def _put_on_device(self, split: Split, spec: DatasetSpec) -> DeviceDataset:
        return DeviceDataset(split, spec, self.device, channels_last=self.config.channels_last)

    @property
    def eval_model(self) -> nn.Module:
        """The model that is evaluated and kept: the running mean where there is one."""
        return self.model if self.ema is None else self.ema.model

    # -- one step ---------------------------------------------------------------------------------------------

    def step(self, number: int, index: Tensor, lr: float, seed: int) -> tuple[Tensor, Tensor]:
        """One training step on the samples of ``index``.

        Args:
            number: which step this is, from 1.
            index: ``(B,)`` int64 positions in the training split.
            lr: the learning rate of this step.
            seed: decides dropout and augmentation of this step.

        Returns:
            Mean loss and number of correct answers of the batch before the update, as scalars on the device.
        """
        self._prepare_step(lr, seed)
        images, targets = self._make_batch(index)
        loss, correct = self._compute_loss(images, targets)  # forward
        self.scaler.scale(loss).backward()  # backward; the scaler does something with fp16 only
        self.grad_norm = self._clip_gradient()
        self.scaler.step(self.optimizer)  # step
        self.scaler.update()
        if self.ema is not None:
            self.ema.update(number)
        return loss.detach().clone(), correct.clone()  # copies: a CUDA graph reuses its output buffers

    def _prepare_step(self, lr: float, seed: int) -> None:
        torch.manual_seed(seed)  # dropout draws from the global generator
        self.generator.manual_seed(seed)
        hold_layers(self._held)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)

    def _clip_gradient(self) -> Tensor:
        """The length of the whole gradient, which is then shortened where the config has a bound; no synchronization.

        Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013.
        """
        self.scaler.unscale_(self.optimizer)
        parameters = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters])  # type: ignore[misc]
        if self.config.grad_clip:
            nn.utils.clip_grads_with_norm_(parameters, self.config.grad_clip, norm)
        return norm

    def _make_batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Normalized images ``(B, C, H, W)`` and soft targets ``(B, classes)``."""
        if self.augmentation is None:
            images, labels = self.train.batch(index)
            return images, self._smooth(self.objective.make_targets(labels))
        images, labels = self.train.raw(index)
        targets = self.objective.make_targets(labels)
        images, targets = self.augmentation(images.float() / 255, targets, self.generator)
        return normalize(images, self.train.spec), self._smooth(targets)

    def _smooth(self, targets: Tensor) -> Tensor:
        """Targets ``(B, classes)`` of which a part is spread over all classes; each row still sums to 1."""
        if not self.config.label_smoothing:
            return targets
        return targets * (1 - self.config.label_smoothing) + self.config.label_smoothing / targets.shape[1]

    def _compute_loss(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        # A compiled graph is made for one shape: the short last batch of an epoch goes without it.
        if self.compiled and len(images) == self.config.batch_size:
            torch.compiler.cudagraph_mark_step_begin()
            return self._compiled_loss(images, targets)
        return self._forward(images, targets)

    def _forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        dtype = autocast_dtype(self.config.precision)
        with torch.autocast(self.device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            outputs = self.model(images)
        return self.objective(outputs, targets)

    # -- compilation ------------------------------------------------------------------------------------------

    def _wants_compiling(self) -> bool:
        if self.config.compile == "auto":
            steps = len(self.train) * self.config.epochs // self.config.batch_size
            has_triton = importlib.util.find_spec("triton") is not None
            return self.device.type == "cuda" and has_triton and steps >= _COMPILE_FROM_STEPS
        return self.config.compile == "on"

    def _compile(self, preparing: Preparing) -> bool:
        """Compile forward pass and loss, with CUDA graphs on a GPU. A failure is logged; training then goes without."""
        if len(self.train) < self.config.batch_size:
            return False
        preparing("compile", 0.0)
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"
        before = {name: value.clone() for name, value in self.model.state_dict().items()}
        try:
            self._compiled_loss = torch.compile(self._forward, mode=mode)
            index = torch.arange(self.config.batch_size, device=self.index_device)
            for _ in range(3):  # warm-up, recording, replay
                loss, _ = self._compiled_loss(*self._make_batch(index))
                self.scaler.scale(loss).backward()
                self.optimizer.zero_grad(set_to_none=True)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            log.warning("torch.compile does not work here, training goes on without it: %s", str(error).splitlines()[0])
            return False
        finally:
            self.optimizer.zero_grad(set_to_none=True)
            self.model.load_state_dict(before)  # running statistics moved during the warm-up
        return True

    # -- state ------------------------------------------------------------------------------------------------

    def _stateful_parts(self) -> dict[str, Any]:
        """Everything with a ``state_dict``, by name, but the model that is evaluated."""
        parts = {
            "optimizer": self.optimizer,
            "scaler": self.scaler,
            "augmentation": self.augmentation,
            "objective": self.objective,
            "raw_weights": self.model if self.ema is not None else None,
        }
        return {name: part for name, part in parts.items() if hasattr(part, "state_dict")}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights of the model that is evaluated, and the state of every other part (live tensors, not copies)."""
        state = {name: part.state_dict() for name, part in self._stateful_parts().items()}
        return dict(self.eval_model.state_dict()), state

    def load_state(self, weights: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Put back what :meth:`state` gave. With an empty ``state`` all but the weights begins anew.

        Raises:
            ResumeError: it is of another model or of a run with other settings.
        """
        parts = self._stateful_parts()
        if state and state.keys() != parts.keys():
            raise ResumeError(
                f"the checkpoint does not fit this run: it has the state of {', '.join(sorted(state))};"
                f" this run needs {', '.join(sorted(parts))}"
            )
        try:
            self.eval_model.load_state_dict(weights)
            if not state:
                self.model.load_state_dict(weights)
            for name, saved in state.items():
                if name == "optimizer":
                    restore_optimizer(self.optimizer, saved)
                else:
                    parts[name].load_state_dict(saved)
        except (RuntimeError, ValueError, KeyError) as error:
            raise ResumeError(f"the checkpoint does not fit model {self.config.model!r}: {error}") from error


def find_fitting_batch(config: TrainConfig, spec: DatasetSpec, start: int) -> int | None:
    """The first of ``start, start/2, start/4 …`` with which a training step fits into the device's memory.

    Returns:
        The batch size, or None when not even one sample fits.
    """
    size = start
    while size and not _fits(config, spec, size):
        size //= 2
    return size or None


def _fits(config: TrainConfig, spec: DatasetSpec, size: int) -> bool:
    blank = Split(torch.zeros(size, spec.channels, spec.size, spec.size, dtype=torch.uint8), torch.zeros(size).long())
    trial = config.replace(batch_size=size, augment="none", val_fraction=0.0, patience=0, compile="off")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        trainer = Trainer(trial, Dataset(spec, blank, blank))
        trainer.step(1, torch.arange(size), config.lr, config.seed)
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return False
        raise
    return True
