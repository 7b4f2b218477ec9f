"""The table of optimizers. Reading the table does not import PyTorch.

To add one, add a line: the builder gets the parameters, ``lr``, ``weight_decay`` and the options of the entry.
"""

from __future__ import annotations

from cnn_demo.locales import N_
from cnn_demo.settings.description import Real, Setting
from cnn_demo.settings.registry import Registry

MOMENTUM = Setting(
    "momentum",
    0.9,
    Real(0, 0.9999, step=0.1),
    N_("Momentum"),
    help=N_("How much of the last step's direction is kept; 0 is plain gradient descent."),
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
    options=(MOMENTUM,),
)
