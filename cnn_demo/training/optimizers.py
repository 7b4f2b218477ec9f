"""The table of optimizers, and building one. Reading the table does not import PyTorch.

To add one, add a line: the builder gets the parameters (in groups where only some are to decay), ``lr``,
``weight_decay`` and the options of the entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cnn_demo.locales import N_
from cnn_demo.settings.description import Flag, Real, Setting
from cnn_demo.settings.errors import ConfigError
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from cnn_demo.settings.config import TrainConfig

MOMENTUM = Setting(
    "momentum",
    0.9,
    Real(0, 0.9999, step=0.1),
    N_("Momentum"),
    help=N_("How much of the last step's direction is kept; 0 is plain gradient descent."),
)
NESTEROV = Setting(
    "nesterov",
    False,
    Flag(),
    N_("Nesterov momentum"),
    help=N_("Look ahead along the momentum before the gradient is used."),
)
MUON_MOMENTUM = Setting(
    "muon_momentum",
    0.95,
    Real(0, 0.9999, step=0.05),
    N_("Momentum of Muon"),
    help=N_("How much of the past directions is kept."),
)

OPTIMIZERS = Registry("optimizer")
OPTIMIZERS.add(
    "adamw",
    N_("AdamW"),
    "torch.optim:AdamW",
    help=N_("Adam with weight decay kept apart from the gradient; without weight decay it is Adam."),
)
OPTIMIZERS.add(
    "adam", N_("Adam"), "torch.optim:Adam", help=N_("Adam with weight decay added to the gradient (L2 penalty).")
)
OPTIMIZERS.add(
    "sgd",
    N_("SGD"),
    "torch.optim:SGD",
    help=N_("Stochastic gradient descent; it needs a larger learning rate than Adam, such as 0.05."),
    options=(MOMENTUM, NESTEROV),
)
OPTIMIZERS.add(
    "muon",
    N_("Muon"),
    "cnn_demo.training.muon:Muon",
    help=N_(
        "Steps of orthogonal directions for the weights between the layers, AdamW for the rest. It learns more in a "
        "step; with wide linear layers a step takes much longer on a CPU."
    ),
    options=(MUON_MOMENTUM,),
)


def create_optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Build the optimizer that a config names, fused (one kernel for all parameters) where its class can do that.

    Raises:
        ConfigError: the optimizer refuses its settings.
    """
    entry, chosen = OPTIMIZERS.get(config.optimizer), _split_by_decay(config, list(parameters))
    build = entry.load()
    settings = {"lr": config.lr, "weight_decay": config.weight_decay, **entry.option_values(config)}
    try:
        try:
            optimizer: Optimizer = build(chosen, fused=True, **settings)
        except (TypeError, RuntimeError):  # the class does not know the word, or has no such kernel for this device
            optimizer = build(chosen, **settings)
    except ValueError as error:
        message = N_("used with settings that it accepts ({reason})")
        raise ConfigError("optimizer", config.optimizer, message, reason=error) from error
    return optimizer


def _split_by_decay(config: TrainConfig, parameters: list[nn.Parameter]) -> list[nn.Parameter] | list[dict[str, Any]]:
    """What decays and what does not, as groups of an optimizer; one plain list where nothing decays or all does.

    Biases, and the scales and shifts of normalization (everything with fewer than two dimensions) keep their size:
    they are few, do not fit noise, and a norm's scale near 0 silences its channel (He et al., "Bag of tricks for image
    classification", 2019, section 3.1). Up to version 2 of the settings, everything decayed.
    """
    if not config.weight_decay or config.version < 3:
        return parameters
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2]},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
