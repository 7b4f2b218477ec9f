"""The table of models, and building one. Reading the table does not import PyTorch.

To add one, write a file with an ``nn.Module`` or a function that takes ``(channels, size, classes, **options)``, and
add a line to the table. A model whose output is not one tensor of logits also names its objective, from
``cnn_demo.training.objectives``: ``objective="..."``. With ``named_classes=True`` it is also given the names of the
classes as ``class_names``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnn_demo.locales import N_
from cnn_demo.models.layer_list import LAYER_LIST
from cnn_demo.models.options import ACTIVATION, DEPTH, DROPOUT, HEAD_WIDTH, HEADS, NORMALIZATION, SKIP, WIDTH
from cnn_demo.settings.description import Setting, Whole
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from cnn_demo.datasets.specs import DatasetSpec
    from cnn_demo.settings.config import TrainConfig

HELD_OUT = Setting(
    "held_out",
    -1,
    Whole(-1, 99),
    N_("Class held out"),
    help=N_(
        "The number of a class whose images and captions are left out of training, to see whether its caption finds it "
        "all the same; -1 leaves out none."
    ),
    group="model",
)

# Names are shown in this order.
MODELS = Registry("model")
MODELS.add(
    "cnn",
    N_("Plain CNN"),
    "cnn_demo.models.cnn:CNN",
    help=N_("Two convolutions with pooling and a head of 512 features."),
    options=(WIDTH(32), DEPTH(2), ACTIVATION("relu"), NORMALIZATION("none"), DROPOUT(0.5)),
    check="cnn_demo.models.options:check_depth",
)
MODELS.add(
    "cnn-bn",
    N_("CNN with batch normalization"),
    "cnn_demo.models.cnn:CNN",
    help=N_("The plain CNN with a normalization after each convolution."),
    options=(WIDTH(32), DEPTH(2), ACTIVATION("relu"), NORMALIZATION("batch"), DROPOUT(0.5)),
    check="cnn_demo.models.options:check_depth",
)
MODELS.add(
    "cnn-strided",
    N_("CNN with strides"),
    "cnn_demo.models.cnn:strided_cnn",
    help=N_("The plain CNN with convolutions of stride 2 in place of pooling."),
    options=(WIDTH(32), DEPTH(2), ACTIVATION("relu"), NORMALIZATION("none"), DROPOUT(0.5)),
    check="cnn_demo.models.options:check_depth",
)
MODELS.add(
    "cnn-tiny",
    N_("Tiny CNN, the fast one"),
    "cnn_demo.models.cnn:tiny_cnn",
    help=N_("Three convolutions, the first of stride 2, and one linear layer."),
    options=(WIDTH(16), ACTIVATION("relu"), NORMALIZATION("batch")),
)
MODELS.add(
    "lenet5",
    N_("LeNet-5"),
    "cnn_demo.models.lenet:LeNet5",
    help=N_("The network of 1998 that read checks."),
    options=(ACTIVATION("tanh"),),
)
_RESIDUAL = (WIDTH(16), DEPTH(2), SKIP(True), ACTIVATION("relu"), NORMALIZATION("batch"), DROPOUT(0.0))
MODELS.add(
    "resnet-small",
    N_("Small ResNet"),
    "cnn_demo.models.resnet:SmallResNet",
    help=N_("Three stages of residual blocks. Its skip connections can be switched off."),
    options=_RESIDUAL,
)
MODELS.add(
    "se-resnet-small",
    N_("Small SE-ResNet"),
    "cnn_demo.models.resnet:small_se_resnet",
    help=N_("The small ResNet whose blocks weigh their channels (squeeze and excitation)."),
    options=_RESIDUAL,
)
MODELS.add(
    "cnn-deep",
    N_("Deep CNN"),
    "cnn_demo.models.cnn_deep:cnn_deep",
    help=N_("Six narrow convolutions with batch normalization, and the mean over each map."),
)
MODELS.add(
    "cnn-unpadded",
    N_("CNN without padding"),
    "cnn_demo.models.cnn_unpadded:cnn_unpadded",
    help=N_("Six convolutions that add nothing around the image. Slow to train; the most accurate of the plain ones."),
)
MODELS.add(
    "resnet18",
    N_("ResNet-18"),
    "cnn_demo.models.resnet:resnet18",
    help=N_("The network for photographs, with a first convolution for small images."),
)
MODELS.add(
    "vit-hybrid",
    N_("Small vision transformer"),
    "cnn_demo.models.vit_hybrid:VitHybrid",
    help=N_("Two convolutions make tokens of the image; attention mixes them. Feature maps shows what it attends to."),
    options=(DEPTH(3), HEADS, HEAD_WIDTH, DROPOUT(0.1)),
)
MODELS.add(
    "clip-small",
    N_("Small CLIP"),
    "cnn_demo.models.clip_small:ClipSmall",
    help=N_(
        "An image encoder and a text encoder, trained on captions of the classes in English and Chinese. On the Draw "
        "page you can write captions of your own."
    ),
    options=(HELD_OUT,),
    objective="contrastive",
    named_classes=True,
)

MODELS.add(
    "builder",
    N_("Your own layers"),
    "cnn_demo.models.builder:create_built_model",
    options=(LAYER_LIST,),
    check="cnn_demo.models.layer_plan:check_layers",
    figures="cnn_demo.models.layer_plan:plan_figures",
)


def create_model(name: str, *, channels: int = 1, size: int = 28, classes: int = 10, **options: Any) -> nn.Module:
    """Build a model with fresh weights from the global random state.

    Args:
        name: a registered name.
        channels: color channels of the input, C in ``(N, C, H, W)``.
        size: height and width of the input in pixels.
        classes: number of logits.
        options: the settings that this model's entry describes; what is left out has the entry's default.

    Raises:
        UnknownName: no such model.
        ValueError: the model cannot be built for this size.
    """
    entry = MODELS.get(name)
    defaults = {option.name: option.default for option in entry.options}
    model: nn.Module = entry.load()(channels, size, classes, **{**defaults, **options})
    return model


def create_configured_model(config: TrainConfig, spec: DatasetSpec) -> nn.Module:
    """Build the model that a config names, with its options, for the images and classes of a data set.

    Raises:
        UnknownName: no such model.
        ValueError: the model cannot be built for this size.
    """
    entry = MODELS.get(config.model)
    options = entry.option_values(config)
    if entry.facts.get("named_classes"):
        options["class_names"] = spec.classes
    return create_model(config.model, channels=spec.channels, size=spec.size, classes=len(spec.classes), **options)


def count_parameters(model: nn.Module) -> int:
    """The number of trainable values in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
