"""How a network learns: softmax and cross-entropy, backpropagation, one step of an optimizer, a loss surface.

Sources: Goodfellow, Bengio and Courville, "Deep Learning", 2016, chapters 6 and 8; Kingma and Ba, "Adam", 2015.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def softmax_naively(logits: Tensor) -> Tensor:
    """Exponentials over their sum, ``(classes,)``: overflows to infinity / infinity where a logit is above 88."""
    powers = logits.exp()
    return powers / powers.sum()


def softmax_safely(logits: Tensor) -> Tensor:
    """The same with the largest logit taken off first: the powers are at most 1, the shares are unchanged."""
    powers = (logits - logits.max()).exp()
    return powers / powers.sum()


def cross_entropy(logits: Tensor, target: int) -> Tensor:
    """−log of the share of the right class, from logits, without ever forming a tiny share."""
    return logits.logsumexp(0) - logits[target]


@dataclass(frozen=True, slots=True)
class TinyNetwork:
    """Two inputs, two hidden units with tanh, two logits: nine numbers and a loss.

    Attributes:
        hidden: ``(2, 2)``, the weights from x to h; no biases.
        output: ``(2, 2)``, the weights from h to z.
    """

    hidden: Tensor
    output: Tensor


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass forward and back: every node with its value, and the slope of the loss along it.

    Attributes:
        x, h, z, p: ``(2,)`` inputs, hidden units, logits, shares of softmax.
        loss: cross-entropy.
        dx, dh, dz: ``(2,)`` gradients of the loss.
        dhidden, doutput: ``(2, 2)`` gradients of the weights.
    """

    x: Tensor
    h: Tensor
    z: Tensor
    p: Tensor
    loss: Tensor
    dx: Tensor
    dh: Tensor
    dz: Tensor
    dhidden: Tensor
    doutput: Tensor


def run_pass(network: TinyNetwork, x: Tensor, target: int) -> Pass:
    """Forward by hand, backward by the chain rule: each line uses the one after it in the network."""
    h = (network.hidden @ x).tanh()
    z = network.output @ h
    p = softmax_safely(z)
    loss = cross_entropy(z, target)
    dz = p - F.one_hot(torch.tensor(target), 2)  # softmax and cross-entropy together
    doutput = torch.outer(dz, h)
    dh = network.output.T @ dz
    da = dh * (1 - h**2)  # tanh' = 1 − tanh²
    dhidden = torch.outer(da, x)
    dx = network.hidden.T @ da
    return Pass(x, h, z, p, loss, dx, dh, dz, dhidden, doutput)


@dataclass(frozen=True, slots=True)
class AdamStep:
    """One step of Adam on one weight; all are numbers of float32 arithmetic.

    Attributes:
        gradient: what the optimizer was given.
        mean, square: the running means of the gradient and of its square.
        mean_hat, square_hat: both, corrected for having begun at zero.
        weight: after the step.
    """

    gradient: float
    mean: float
    square: float
    mean_hat: float
    square_hat: float
    weight: float


def step_adam(
    weight: float, gradients: list[float], rate: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> list[AdamStep]:
    """Adam's formulas, written out, over several gradients of one weight."""
    w, mean, square = torch.tensor(weight), torch.tensor(0.0), torch.tensor(0.0)
    steps = []
    for t, gradient in enumerate(gradients, 1):
        g = torch.tensor(gradient)
        mean = betas[0] * mean + (1 - betas[0]) * g
        square = betas[1] * square + (1 - betas[1]) * g**2
        mean_hat = mean / (1 - betas[0] ** t)
        square_hat = square / (1 - betas[1] ** t)
        w = w - rate * mean_hat / (square_hat.sqrt() + eps)
        steps.append(AdamStep(*(float(v) for v in (g, mean, square, mean_hat, square_hat, w))))
    return steps


def train_tiny(
    network: TinyNetwork, x: Tensor, target: int, optimizer: str, rate: float, steps: int, forget: bool = False
) -> tuple[list[float], list[float], list[float]]:
    """Train the tiny network with ``torch.optim`` and watch the weight from x1 to h1.

    Args:
        network: where it begins; not changed.
        x, target: the one example.
        optimizer: sgd or adam.
        rate: the learning rate.
        steps: how many.
        forget: whether ``zero_grad`` is left out, so that gradients pile up.

    Returns:
        The weight before the first and after every step, the gradient that each step used, the loss before each step.
    """
    hidden, output = network.hidden.clone().requires_grad_(), network.output.clone().requires_grad_()
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    optim = make([hidden, output], lr=rate)
    weights, gradients, losses = [float(network.hidden[0, 0])], [], []
    for _step in range(steps):
        if not forget:
            optim.zero_grad()
        loss = F.cross_entropy(output @ (hidden @ x).tanh(), torch.tensor(target))
        loss.backward()
        assert hidden.grad is not None
        losses.append(loss.item())
        gradients.append(float(hidden.grad[0, 0]))
        optim.step()
        weights.append(float(hidden[0, 0].detach()))
    return weights, gradients, losses


def bowl(w: Tensor) -> Tensor:
    """A loss one can see: a long valley, steep across and flat along; ``(..., 2)`` to ``(...)``."""
    across, along = w[..., 0] + w[..., 1], w[..., 0] - w[..., 1]
    return 2.0 * across**2 + 0.1 * along**2


def descend(loss: Callable[[Tensor], Tensor], start: Tensor, optimizer: str, rate: float, steps: int) -> Tensor:
    """The path of an optimizer over a surface: ``(steps + 1, 2)``; it ends early where numbers overflow."""
    w = start.clone().requires_grad_()
    options: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD([w], lr=rate),
        "momentum": lambda: torch.optim.SGD([w], lr=rate, momentum=0.9),
        "adam": lambda: torch.optim.Adam([w], lr=rate),
    }
    optim = options[optimizer]()
    path = [w.detach().clone()]
    for _step in range(steps):
        optim.zero_grad()
        loss(w).backward()
        optim.step()
        if not torch.isfinite(w).all():
            break
        path.append(w.detach().clone())
    return torch.stack(path)


def count_saved_bytes(model: nn.Module, batch: Tensor) -> int:
    """Bytes that autograd keeps for the way back, parameters not counted; the model is not changed."""
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    model = copy.deepcopy(model).requires_grad_(True)
    own |= {parameter.data_ptr() for parameter in model.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(batch)
    del output
    return sum(kept.values())


def compare_modes(width: int, share: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Dropout of ones, ``(width,)``: twice in train mode, with two draws, and once in eval mode."""
    dropout, x = nn.Dropout(share), torch.ones(width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, second = dropout.train()(x), dropout.train()(x)
    return first, second, dropout.eval()(x)
