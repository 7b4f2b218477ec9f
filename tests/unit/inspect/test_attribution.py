"""Attribution: each method against arithmetic done by hand, and the way through the preparation against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.inspect.attribution import METHODS, Preparation, attribute, enlarge, grad_cam_layer
from cnn_demo.inspect.capture import capture
from cnn_demo.models.cnn import CNN
from cnn_demo.prediction.load import load_folder
from cnn_demo.prediction.shipped import SHIPPED

SPEC = get_spec("mnist-mini")


def four(top: int = 60, left: int = 90, scale: int = 1) -> np.ndarray:
    """A 4 of bars on a 280-pixel pad."""
    pad = np.zeros((280, 280), np.uint8)
    pad[top : top + 90 * scale, left : left + 16] = 255
    pad[top + 74 * scale : top + 90 * scale, left : left + 100 * scale] = 255
    pad[top : top + 150 * scale, left + 60 * scale : left + 60 * scale + 16] = 255
    return pad


@pytest.fixture(scope="module")
def model() -> CNN:
    torch.manual_seed(3)
    return CNN().eval().requires_grad_(False)


class Linear(nn.Module):
    """Logits ``w · x + b``: everything about it is known."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, 1, 8, 8, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,kchw->nk", x, self.weight) + 2.0


def test_a_linear_model_is_attributed_exactly() -> None:
    linear, x = Linear(), torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    black = torch.full_like(x, -0.4)
    w = linear.weight.detach()[2, 0]
    gradient = attribute(linear, x, black, "gradient", 2)
    assert np.allclose(gradient.values, w, atol=1e-6)
    integrated = attribute(linear, x, black, "integrated", 2)
    assert np.allclose(integrated.values, (w * (x - black)[0, 0]), atol=1e-5)
    assert integrated.values.sum() == pytest.approx(integrated.logit - integrated.baseline, abs=1e-4)
    # Occlusion by hand: a patch of round(8 * 5 / 28) = 1 pixel is one pixel, whose loss is w * (x - black).
    occlusion = attribute(linear, x, black, "occlusion", 2)
    assert np.allclose(occlusion.values, (w * (x - black)[0, 0]), atol=1e-5)


def test_occlusion_averages_over_the_patches_that_cover_a_pixel() -> None:
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 2, bias=False))
    x, black = torch.rand(1, 1, 28, 28), torch.zeros(1, 1, 28, 28)
    worth = (linear.get_parameter("1.weight").detach()[1].view(28, 28) * x[0, 0]).double()
    total, covers = torch.zeros(28, 28, dtype=torch.float64), torch.zeros(28, 28, dtype=torch.float64)
    for top in range(24):
        for left in range(24):
            total[top : top + 5, left : left + 5] += worth[top : top + 5, left : left + 5].sum()
            covers[top : top + 5, left : left + 5] += 1
    told: list[float] = []
    found = attribute(linear, x, black, "occlusion", 1, told.append)
    assert np.allclose(found.values, (total / covers).numpy(), atol=1e-4)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 3


def test_integrated_gradients_are_complete(model: CNN) -> None:
    """Sundararajan et al., axiom: the values add up to the difference of the logits. Also on the pad's own pixels."""
    drawing = prepare(four(), SPEC)
    black = torch.full_like(drawing.input, -SPEC.mean[0] / SPEC.std[0])
    native = attribute(model, drawing.input, black, "integrated", 4)
    difference = float(model(drawing.input)[0, 4] - model(black)[0, 4])
    assert native.values.sum() == pytest.approx(difference, abs=0.02 * abs(difference) + 1e-3)
    ink = torch.from_numpy(drawing.stage("ink").image)[None, None]
    whole = nn.Sequential(Preparation(drawing, SPEC), model)
    pad = attribute(whole, ink, torch.zeros_like(ink), "integrated", 4)
    assert pad.values.shape == (280, 280)
    assert pad.logit == pytest.approx(native.logit, abs=1e-4)
    assert pad.values.sum() == pytest.approx(difference, abs=0.05 * abs(difference) + 2e-3)
    assert np.abs(pad.values[drawing.stage("ink").image == 0]).max() == 0  # black ground gets nothing


def test_grad_cam_by_hand(model: CNN) -> None:
    """Selvaraju et al., equations 1 and 2: on the activations, weighted by mean gradients, and cut off below zero."""
    drawing = prepare(four(), SPEC)
    with torch.enable_grad():
        x = drawing.input
        maps = F.relu(model.conv2(F.max_pool2d(F.relu(model.conv1(x)), 2))).detach().requires_grad_()
        logits = model.fc2(F.relu(model.fc1(F.max_pool2d(maps, 2).flatten(1))))
        (gradient,) = torch.autograd.grad(logits[0, 9], maps)
    by_hand = (gradient.mean((2, 3), keepdim=True) * maps).sum(1)[0].relu().detach().numpy()
    found = attribute(model, drawing.input, torch.zeros_like(drawing.input), "grad_cam", 9)
    assert found.values.shape == (14, 14)
    assert np.allclose(found.values, by_hand, atol=1e-5)
    assert found.values.max() > 0


def test_grad_cam_lies_where_the_ink_is() -> None:
    """The model that ships, on 200 test images that it reads right: the evidence lies within two pixels of ink.

    Two pixels are those of one unit of the 14 × 14 map. On the convolution before the ReLU more than a quarter of the
    maps had less than a fifth of their area above zero, and half of the evidence lay on empty paper.
    """
    network = load_folder(SHIPPED)
    test = load_dataset("mnist-mini", download=False).test
    shares, blue = [], []
    for image, label in zip(test.images[:200], test.labels[:200].tolist(), strict=True):
        picture = normalize(image[None], network.spec)
        black = normalize(torch.zeros_like(image[None]), network.spec)
        if int(network.model(picture).argmax()) != label:
            continue
        values = torch.from_numpy(attribute(network.model, picture, black, "grad_cam", label).values)
        large = F.interpolate(values[None, None], (28, 28), mode="bilinear")[0, 0]
        near = F.max_pool2d((image > 50).float(), 5, stride=1, padding=2)[0] > 0
        shares.append(float(large[near].sum() / large.sum()))
        blue.append(float((values < 0).float().mean()))
    assert len(shares) >= 190
    assert max(blue) == 0
    assert np.mean(shares) > 0.9
    assert np.quantile(shares, 0.05) > 0.7


class Block(nn.Module):
    """A residual block whose shortcut is registered last but runs before the end, and a gate over its channels."""

    def __init__(self, gate: bool) -> None:
        super().__init__()
        self.late, self.early, self.gate = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1) if gate else None

    def forward(self, x: Tensor) -> Tensor:
        found = self.late(self.early(x).relu())
        if self.gate is not None:
            found = found * self.gate(found.mean((2, 3), keepdim=True)).sigmoid()
        return (found + x).relu().mean((2, 3))


@pytest.mark.parametrize("gate", [False, True])
def test_grad_cam_reads_the_end_of_the_last_block(gate: bool) -> None:
    with capture(Block(gate), kinds=()) as maps:
        maps(torch.zeros(1, 1, 4, 4))
        assert grad_cam_layer(maps.nodes) == "relu:2"
        maps(torch.zeros(1, 1, 4, 4), until="late")
        assert grad_cam_layer(maps.nodes) == "late"  # nothing behind it


def test_grad_cam_needs_a_convolution() -> None:
    with pytest.raises(ValueError, match="no convolution"):
        attribute(nn.Flatten(), torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), "grad_cam", 0)


@pytest.mark.parametrize("picture", [four(), four(10, 20), four(200, 200)[:, :], 255 - four(), four()[100:128, 90:118]])
def test_the_preparation_layer_is_the_preparation(picture: np.ndarray) -> None:
    drawing = prepare(picture, SPEC)
    ink = torch.from_numpy(drawing.stage("ink").image)[None, None]
    assert (Preparation(drawing, SPEC)(ink) - drawing.input).abs().max() < 1e-4


def test_pad_gradients_agree_with_finite_differences(model: CNN) -> None:
    """A soft stroke, so that nothing is clipped: nudging a patch of pad pixels moves the logit as the gradient says."""
    soft = (np.asarray(four(), np.float64) * 0.5).astype(np.uint8)
    soft[60:70, 90:106] = 255  # the strongest ink sets the scale
    drawing = prepare(soft, SPEC)
    ink = torch.from_numpy(drawing.stage("ink").image).double()[None, None]
    whole = nn.Sequential(Preparation(drawing, SPEC), model).double()
    found = attribute(whole, ink, torch.zeros_like(ink), "gradient", 4).values
    nudge = torch.zeros_like(ink)
    nudge[0, 0, 140:148, 110:130] = 1
    step = 1e-4
    with torch.no_grad():
        slope = float(whole(ink + step * nudge)[0, 4] - whole(ink - step * nudge)[0, 4]) / (2 * step)
    model.float()
    assert found[140:148, 110:130].sum() == pytest.approx(slope, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_shared_model_is_left_alone(model: CNN, method: str) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawing = prepare(four(), SPEC)
    attribute(model, drawing.input, torch.zeros_like(drawing.input), method, 1)
    assert not model.training
    assert all(not p.requires_grad and p.grad is None for p in model.parameters())
    assert all(not m._forward_hooks and not m._backward_hooks for m in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not drawing.input.requires_grad


def test_enlarged_maps_lie_over_the_drawing() -> None:
    """The pixel of the field that a pad pixel became, found through the preparation itself, lights up over it."""
    drawing = prepare(four(30, 120), SPEC)
    layer = Preparation(drawing, SPEC)
    for y, x in ((60, 128), (120, 190), (160, 185)):
        spot = torch.zeros(1, 1, 280, 280)
        spot[0, 0, y - 4 : y + 4, x - 4 : x + 4] = 1
        seen = layer(spot)[0, 0]
        row, column = divmod(int(seen.argmax()), 28)
        values = np.zeros((28, 28), np.float32)
        values[row, column] = 1
        laid = enlarge(values, drawing, SPEC)
        assert laid.shape == (280, 280)
        peak = np.argwhere(laid > 0.8 * laid.max()).mean(0)
        assert np.abs(peak - (y, x)).max() < 8  # a pixel of the field is about seven of the pad
    photo = prepare(np.zeros((40, 60, 3), np.uint8), get_spec("cifar10"))
    assert enlarge(np.ones((4, 4), np.float32), photo, get_spec("cifar10")).shape == (40, 60)


def test_wrong_questions_are_refused(model: CNN) -> None:
    empty = prepare(np.zeros((280, 280), np.uint8), SPEC)
    with pytest.raises(ValueError, match="no crop"):
        Preparation(empty, SPEC)
    with pytest.raises(ValueError, match="deeplift"):
        attribute(model, empty.input, empty.input, "deeplift", 0)
