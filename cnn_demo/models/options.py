"""Settings that several models share, each with one name, one kind and a default of the model's own. Imports no torch.

A model takes those that make sense for it, as ``options=(WIDTH(32), ACTIVATION("relu"))`` in ``registry.py``. One name
means the same thing in every model, so that one flag of the command line fits all of them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_demo.datasets.specs import get_spec
from cnn_demo.locales import N_
from cnn_demo.settings.description import Choice, Flag, Real, Setting, Whole
from cnn_demo.settings.errors import ConfigError

if TYPE_CHECKING:
    from cnn_demo.settings.config import TrainConfig


@dataclass(frozen=True, slots=True)
class SharedOption:
    """An option that a model adopts by calling it with its own default.

    Attributes:
        setting: its description, with the default of most models.
    """

    setting: Setting

    def __call__(self, default: Any) -> Setting:
        """The setting with this default.

        Raises:
            ConfigError: the option cannot have this value.
        """
        self.setting.check(default)
        return dataclasses.replace(self.setting, default=default)


WIDTH = SharedOption(
    Setting(
        "width",
        32,
        Whole(4, 128, step=4),
        N_("Width"),
        help=N_("Channels of the first convolution. Later ones have two or four times as many."),
        group="model",
    )
)
DEPTH = SharedOption(
    Setting(
        "depth",
        2,
        Whole(1, 9),
        N_("Depth"),
        help=N_("How many blocks follow each other; in a residual network, how many in each of its three stages."),
        group="model",
    )
)
ACTIVATION = SharedOption(
    Setting(
        "activation",
        "relu",
        Choice(
            (
                ("relu", N_("ReLU")),
                ("leaky_relu", N_("LeakyReLU")),
                ("silu", N_("SiLU")),
                ("gelu", N_("GELU")),
                ("tanh", N_("Tanh")),
            )
        ),
        N_("Activation"),
        help=N_("The function behind each convolution. Without one, all layers together would be a single linear one."),
        group="model",
    )
)
NORMALIZATION = SharedOption(
    Setting(
        "normalization",
        "batch",
        Choice((("none", N_("None")), ("batch", N_("Batch normalization")), ("group", N_("Group normalization")))),
        N_("Normalization"),
        help=N_("Brings each channel to one scale: over the batch, or over groups of channels of each image alone."),
        group="model",
    )
)
DROPOUT = SharedOption(
    Setting(
        "dropout",
        0.0,
        Real(0, 0.9, step=0.1),
        N_("Dropout"),
        help=N_("The share of the features that is switched off at random in each training step; 0 is none."),
        group="model",
    )
)
SKIP = SharedOption(
    Setting(
        "skip",
        True,
        Flag(),
        N_("Skip connections"),
        help=N_("Add the input of each block to its output. Switch them off to see why they are there."),
        group="model",
    )
)
# Token width is heads × width of a head, so that every combination works.
HEADS = Setting(
    "heads",
    4,
    Whole(1, 8),
    N_("Attention heads"),
    help=N_("How many times each block looks at the tokens, each time for another reason."),
    group="model",
)
HEAD_WIDTH = Setting(
    "head_width",
    16,
    Whole(4, 64, step=4),
    N_("Width of a head"),
    help=N_("Numbers of a token that one head works with. A token has as many as all heads together."),
    group="model",
)


def check_depth(config: TrainConfig) -> None:
    """Refuse a plain CNN that would halve the images of its data set to nothing.

    Raises:
        ConfigError: there are too many blocks.
    """
    refuse_depth(config.option("depth"), get_spec(config.dataset).size)


def refuse_depth(depth: int, size: int) -> None:
    """Refuse so many halvings of an image of ``size`` × ``size`` pixels that less than one pixel is left.

    Raises:
        ConfigError: it says how many can be.
    """
    if size < 2**depth:
        message = N_("at most {most} for images of {size} × {size} pixels")
        raise ConfigError("depth", depth, message, most=size.bit_length() - 1, size=size)
