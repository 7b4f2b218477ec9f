"""The table of optimizers. Reading the table does not import PyTorch.

To add one, add a line: the builder gets the parameters, ``lr``, ``weight_decay`` and the options of the entry.
"""

from __future__ import annotations

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry

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
)
