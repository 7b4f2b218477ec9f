"""The arithmetic of random units against what PyTorch computed."""

from __future__ import annotations

import json
import random

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import mobilenet_v3_small, resnet18

from cnn_demo.inspect.capture import capture
from cnn_demo.inspect.steps import (
    AddStep,
    ConvStep,
    CopyStep,
    LengthStep,
    LinearStep,
    PoolStep,
    ProductStep,
    SoftmaxStep,
)
from cnn_demo.inspect.trace import trace, trace_unit
from cnn_demo.models.cnn import CNN
from cnn_demo.models.registry import MODELS, create_model


class Zoo(nn.Module):
    """One of everything, with settings no one would choose."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 6, (3, 5), stride=(2, 3), padding=(2, 1), dilation=(2, 1), groups=2)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.LeakyReLU(0.1, inplace=True)
        self.b = nn.Conv2d(6, 6, 3, padding=1, padding_mode="circular", groups=6, bias=False)
        self.group = nn.GroupNorm(3, 6)
        self.prelu = nn.PReLU(6)
        self.c = nn.Conv2d(6, 6, (4, 3), padding="same")
        self.bare = nn.BatchNorm2d(6, affine=False, track_running_stats=False)
        self.top = nn.MaxPool2d((3, 2), stride=(1, 2), padding=(1, 1), dilation=(2, 1), ceil_mode=True)
        self.mean = nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)
        self.inner = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.ad = nn.AdaptiveAvgPool2d((3, 2))
        self.admax = nn.AdaptiveMaxPool2d((2, 2))
        self.head = nn.Linear(6 * 4, 5)
        self.last = nn.Linear(5, 7, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.a(x)))
        x = F.gelu(self.c(self.prelu(self.group(self.b(x)))) + x)
        x = self.inner(self.top(self.bare(x))) + 0.25
        x = self.admax(self.ad(self.mean(x)) * 2)
        return self.last(torch.sigmoid(self.head(x.view(x.size(0), -1))))


def randomized(model: nn.Module) -> nn.Module:
    """Running statistics, weights and biases away from their starting values."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if (
            isinstance(module, nn.modules.batchnorm._BatchNorm)
            and module.running_mean is not None
            and module.running_var is not None
        ):
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
            if module.weight is not None:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


CASES = {
    **{spec.name: (lambda name=spec.name: create_model(name), (1, 28, 28)) for spec in MODELS},
    **{
        f"{spec.name} in color": (lambda name=spec.name: create_model(name, channels=3, size=32), (3, 32, 32))
        for spec in MODELS
    },
    "resnet18 of torchvision": (resnet18, (3, 64, 64)),
    "mobilenet": (mobilenet_v3_small, (3, 40, 40)),
    "zoo": (Zoo, (4, 29, 34)),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", CASES)
def test_every_step_equals_pytorch(case: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    build, shape = CASES[case]
    model = randomized(build()).to(dtype)
    image = torch.randn(1, *shape, dtype=dtype)
    choose = random.Random(1)
    taken = 0
    with capture(model) as maps:
        maps(image)
        for node in maps.nodes.values():
            if len(node.shape) not in (2, 3, 4):
                continue
            scale = float(maps[node.name].abs().max()) + 1
            tolerance = 1e-12 * scale if dtype == torch.float64 else 2e-5 * scale
            sizes = (*node.shape[1:], 1, 1)[:3]
            for _ in range(6 if len(maps.nodes) < 30 else 2):
                unit = tuple(choose.randrange(n) for n in sizes)
                found = trace_unit(maps, node.name, *unit)
                value = float(maps[node.name][0][unit[: len(node.shape) - 1]])
                assert found.step.captured == value
                for step in found.steps:
                    assert abs(step.difference) <= max(tolerance, 1e-12), (case, node.name, unit, step)
                    taken += type(step).__name__ != "Step"
    assert taken > 50


def test_functions_of_a_conv_step() -> None:
    torch.manual_seed(0)
    model = CNN().double()
    image = torch.randn(1, 1, 28, 28, dtype=torch.float64)
    found = trace(model, image, "conv2", 7, 0, 13)
    conv = found.steps[0]
    assert isinstance(conv, ConvStep)
    assert [step.layer for step in found.steps] == ["conv2", "relu2"]
    assert conv.patch.shape == conv.kernel.shape == conv.products.shape == (32, 3, 3)
    assert (conv.top, conv.left) == (-1, 12)
    assert not conv.patch[:, 0].any()  # the row above the map
    assert not conv.patch[:, :, 2].any()  # and the column to its right
    assert conv.padding.tolist() == [[True, True, True], [False, False, True], [False, False, True]]
    assert torch.equal(torch.from_numpy(conv.kernel), model.conv2.weight[7].detach())
    assert conv.value == pytest.approx(
        conv.products.sum() + float(model.get_parameter("conv2.bias")[7].detach()), abs=1e-12
    )
    json.dumps(found.plain(), allow_nan=False)


def test_padding_is_marked_where_unfold_puts_it() -> None:
    """Zeros of the padding are no data: also with strides, gaps in the kernel, and a map that has zeros itself."""
    torch.manual_seed(0)
    window = {"padding": (3, 2), "dilation": (2, 1), "stride": (2, 3)}
    conv = nn.Conv2d(1, 1, (3, 5), **window)  # type: ignore[arg-type]
    image = torch.zeros(1, 1, 9, 11)
    height, width = conv(image).shape[2:]
    outside = F.unfold(torch.ones_like(image), (3, 5), **window)[0] == 0  # (kh · kw, units)
    for place in range(height * width):
        step = trace(nn.Sequential(conv), image, "0", 0, place // width, place % width).step
        assert isinstance(step, ConvStep)
        assert step.padding.flatten().tolist() == outside[:, place].tolist()
    plain = trace(nn.Sequential(nn.Conv2d(1, 1, 3)), image, "0", 0, 0, 0).step
    assert isinstance(plain, ConvStep)
    assert not plain.padding.any()


def test_maps_of_one_pixel_are_features() -> None:
    """What a residual network's head reads has a number and no place: no "(0, 0)"."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    image = torch.randn(1, 4, 5, 5)
    copied, linear = trace(model, image, "1", 3).step, trace(model, image, "2", 1).steps[0]
    assert isinstance(copied, CopyStep)
    assert isinstance(linear, LinearStep)
    assert (copied.source, copied.unit) == ("0", (3,))
    assert copied.value == pytest.approx(float(image[0, 3].mean()))
    assert (linear.source, linear.maps, linear.places) == ("1", "", ())


def test_max_pool_names_the_winner() -> None:
    model = nn.Sequential(nn.MaxPool2d(2))
    image = torch.arange(16.0).reshape(1, 1, 4, 4).flip(3)
    step = trace(model, image, "0", 0, 1, 0).step
    assert isinstance(step, PoolStep)
    assert step.winner == (1, 0)
    assert step.value == 15


def test_head_lists_contributions_and_softmax() -> None:
    torch.manual_seed(0)
    model = CNN().double().eval()
    image = torch.randn(1, 1, 28, 28, dtype=torch.float64)
    found = trace(model, image, "fc2", 4, top=5)
    linear, softmax = found.steps
    assert isinstance(linear, LinearStep)
    assert isinstance(softmax, SoftmaxStep)
    logits = model(image)[0].detach()
    features = model.relu3(
        model.fc1(torch.flatten(model.pool2(model.relu2(model.conv2(model.pool1(model.relu1(model.conv1(image)))))), 1))
    )[0].detach()
    products = features * model.fc2.weight[4].detach()
    order = products.abs().topk(5).indices
    assert list(linear.index) == order.tolist()
    assert linear.products.tolist() == pytest.approx(products[order].tolist())
    assert linear.products.sum() + linear.others + linear.bias == pytest.approx(float(logits[4]))
    assert softmax.probabilities.tolist() == pytest.approx(torch.softmax(logits, 0).tolist())
    first = trace(model, image, "fc1", 9, top=3).steps[0]
    assert isinstance(first, LinearStep)
    assert first.maps == "pool2"
    assert [c * 49 + y * 7 + x for c, y, x in first.places] == list(first.index)


def test_products_copies_and_sums_with_constants() -> None:
    torch.manual_seed(0)

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([0.5, -2.0, 3.0]).reshape(3, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(x.mean((2, 3), keepdim=True))
            both = torch.cat([x * gate, 2 * x + self.scale], 1)
            return (self.scale * both[:, 3:]).mean((2, 3)) + both.reshape(len(x), 2, -1).sum(2)[:, :1]

    model, image = Gated().double(), torch.randn(1, 3, 4, 5, dtype=torch.float64)
    gated = trace(model, image, "mul", 1, 2, 3).step
    assert isinstance(gated, ProductStep)
    gate = torch.sigmoid(image[0, 1].mean())
    assert gated.terms == (("input", float(image[0, 1, 2, 3])), ("sigmoid", pytest.approx(float(gate))))
    doubled = trace(model, image, "mul:2", 1, 2, 3).step
    assert isinstance(doubled, ProductStep)
    assert doubled.terms == (("input", float(image[0, 1, 2, 3])), ("", 2.0))
    assert isinstance(total := trace(model, image, "add", 1, 2, 3).step, AddStep)
    assert total.terms[1] == ("", -2.0)
    assert isinstance(copied := trace(model, image, "cat", 4, 2, 3).step, CopyStep)
    assert (copied.source, copied.unit) == ("add", (1, 2, 3))
    assert isinstance(flat := trace(model, image, "reshape", 1, 13).step, CopyStep)
    assert (flat.source, flat.unit) == ("cat", (3, 2, 3))
    assert isinstance(pooled := trace(model, image, "mean:2", 2).step, PoolStep)
    assert pooled.value == pytest.approx(pooled.captured, abs=1e-12)


def test_a_vector_is_brought_to_length_one() -> None:
    class Unit(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.normalize(F.normalize(x, dim=1).flatten(1), dim=-1)

    image = torch.randn(1, 3, 4, 5, dtype=torch.float64)
    first, last = trace(Unit(), image, "normalize", 1, 2, 3).step, trace(Unit(), image, "normalize:2", 7).step
    assert isinstance(first, LengthStep)
    assert isinstance(last, LengthStep)
    assert (first.count, last.count) == (3, 60)
    assert first.length == pytest.approx(float(image[0, :, 2, 3].square().sum().sqrt()))
    assert last.length == pytest.approx(20**0.5)  # of 20 vectors of length 1
    assert max(abs(first.difference), abs(last.difference)) < 1e-12


def test_unknown_units_are_named() -> None:
    model, image = CNN(), torch.zeros(1, 1, 28, 28)
    with pytest.raises(KeyError, match="conv9"):
        trace(model, image, "conv9", 0)
    with pytest.raises(IndexError, match="outside layer 'conv1'"):
        trace(model, image, "conv1", 32, 0, 0)
    with pytest.raises(IndexError):
        trace(model, image, "conv1", 0, 0, -1)
