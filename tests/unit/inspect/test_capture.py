"""Capture sees what PyTorch computes and leaves the model as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from cnn_demo.inspect.capture import capture, private_shell
from cnn_demo.models.cnn import CNN
from cnn_demo.models.registry import MODELS, create_model


def hooks(model: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in model.modules()
    )


@pytest.mark.parametrize("name", [spec.name for spec in MODELS])
def test_values_equal_hooks_of_pytorch(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name).eval()
    x = torch.randn(3, 1, 28, 28)
    seen: dict[str, Tensor] = {}

    def note(path: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            seen.setdefault(path, output.clone())  # of a module that runs twice the first time

        return hook

    handles = [
        module.register_forward_hook(note(path))
        for path, module in model.named_modules()
        if not list(module.children()) and not isinstance(module, nn.Identity) and not path.startswith("text.")
    ]
    with torch.no_grad():
        expected = model(x)
    for handle in handles:
        handle.remove()
    with capture(model) as maps:
        assert torch.equal(maps(x), expected)
        for path, value in seen.items():
            assert torch.equal(maps[path], value), path


def test_functional_in_place_and_repeated_operations() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            y.relu_()
            y = self.conv(y)
            y += x
            return torch.relu(y).mean((2, 3))

    torch.manual_seed(0)
    net, x = Net(), torch.randn(1, 2, 5, 5)
    with capture(net) as maps, torch.no_grad():
        maps(x)
        assert list(maps) == ["input", "conv", "relu", "conv:2", "add", "relu:2", "mean"]
        assert torch.equal(maps["conv"], net.conv(x))  # before relu_ wrote over it
        assert torch.equal(maps["conv:2"], net.conv(net.conv(x).relu()))
        assert torch.equal(maps["add"], net.conv(net.conv(x).relu()) + x)
        assert maps.nodes["add"].inputs == ("conv:2", "input")
        assert maps.nodes["mean"].kind == "pool"


def test_in_place_modules_do_not_overwrite_what_is_captured() -> None:
    torch.manual_seed(0)
    model = resnet18().eval()
    with capture(model) as maps:
        maps(torch.randn(1, 3, 32, 32))
        assert (maps["bn1"] < 0).any()
        assert torch.equal(maps["relu"], maps["bn1"].relu())
        assert torch.equal(maps["layer2.0.add"], maps["layer2.0.bn2"] + maps["layer2.0.downsample.1"])
    assert model.relu.inplace


def test_model_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    model = resnet18().train()
    model.layer1.eval()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]

    def fail(_value: torch.Tensor) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), capture(model) as maps:
        maps(torch.randn(2, 3, 32, 32), watch={"layer3.0.add": fail})
    with pytest.raises(RuntimeError), capture(model) as maps:
        maps(torch.randn(2, 4, 32, 32))  # fails inside the first convolution
    assert hooks(model) == 0
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(RuntimeError, match="closed"):
        maps(torch.randn(2, 3, 32, 32))
    assert hooks(maps._shell) == 0


def test_an_error_does_not_spoil_the_next_pass() -> None:
    model = CNN()
    with capture(model) as maps:
        with pytest.raises(RuntimeError):
            maps(torch.zeros(1, 1, 20, 20))
        maps(torch.zeros(1, 1, 28, 28))
        assert [node.module for node in maps.nodes.values()][1:4] == ["conv1", "relu1", "pool1"]
        assert "fc2" in maps


def test_shell_shares_the_weights() -> None:
    model = CNN()
    shell = private_shell(model)
    assert all(a is b for a, b in zip(model.parameters(), shell.parameters(), strict=True))
    assert shell is not model
    assert not shell.training


def test_many_visitors_at_once_beside_a_training_thread() -> None:
    torch.manual_seed(0)
    shared, trained = CNN().eval(), CNN().train()
    images = torch.randn(6, 1, 28, 28)
    with torch.no_grad():
        expected = [shared.relu1(shared.conv1(image[None])) for image in images]
    errors: list[str] = []
    stop = threading.Event()

    def train() -> None:
        optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3)
        while not stop.is_set():
            optimizer.zero_grad()
            trained(images).square().mean().backward()
            optimizer.step()
            if not trained.training or not trained.dropout.training:
                errors.append("the mode of the training model was changed")

    def visit(i: int) -> None:
        for _ in range(8):
            with capture(shared) as maps:
                maps(images[i][None])
                if not torch.equal(maps["relu1"], expected[i]):
                    errors.append(f"visitor {i} saw another's image")
            with capture(trained) as maps:
                maps(images[i][None])

    trainer = threading.Thread(target=train)
    trainer.start()
    visitors = [threading.Thread(target=visit, args=(i,)) for i in range(len(images))]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    stop.set()
    trainer.join()
    assert errors == []


def test_kinds_bound_what_is_kept() -> None:
    model = CNN()
    with capture(model, kinds=("conv",), names=("fc2",)) as maps:
        maps(torch.zeros(1, 1, 28, 28))
        assert list(maps) == ["conv1", "conv2", "fc2"]
        with pytest.raises(KeyError, match="not kept"):
            maps["relu1"]
        with pytest.raises(KeyError, match="unknown"):
            maps["relu9"]
    with pytest.raises(ValueError, match="convs"), capture(model, kinds=("convs",)):
        pass


def test_watch_until_and_replay() -> None:
    torch.manual_seed(0)
    model = CNN().eval()
    x = torch.randn(2, 1, 28, 28)
    with capture(model) as maps, torch.no_grad():
        without = maps(x, watch={"relu1": lambda value: value * 0})
        bias_only = model.fc2(
            model.relu3(model.fc1(model.pool2(model.relu2(model.conv2(torch.zeros(2, 32, 14, 14)))).flatten(1)))
        )
        assert torch.allclose(without, bias_only)
        pooled = maps(x, until="pool1")
        assert torch.equal(pooled, model.pool1(model.relu1(model.conv1(x))))
        assert "conv2" not in maps.nodes
        replayed = maps(torch.zeros_like(x), replay={("pool1", "max_pool2d"): pooled})
        assert torch.allclose(replayed, model(x))
        with pytest.raises(KeyError, match="nowhere"):
            maps(x, until="nowhere")


def test_gradients_reach_activations_but_not_weights() -> None:
    model = CNN()
    with capture(model) as maps:
        logits = maps(torch.randn(1, 1, 28, 28), grad=True)
        (gradient,) = torch.autograd.grad(logits[0, 3], maps["conv1"])
    assert gradient.shape == (1, 32, 28, 28)
    assert gradient.any()
    assert all(parameter.grad is None for parameter in model.parameters())
