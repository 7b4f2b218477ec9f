"""Muon: a step of orthogonal directions for the weights between the layers, AdamW for everything else.

K. Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024. The momentum of a weight matrix is replaced
by the nearest matrix whose singular values are all about 1, so that a step goes equally far in every direction. The
``torch.optim.Muon`` of PyTorch takes matrices only and computes in bfloat16, which most processors cannot; this one
also takes convolutions, and computes in single precision where there is no GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

# A quintic polynomial that moves every singular value in (0, 1] to within about 0.7 to 1.2 in five rounds (Jordan).
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


class Muon(Optimizer):
    """Muon for hidden weights, AdamW for the first and the last weights, for biases, norms and the like.

    Hidden are weights of two dimensions (linear) and of four (convolutions, taken as a matrix of one row for each
    output channel), but the first and the last of them: those are no map from one hidden space into another. Their
    step has the root mean square that AdamW's usually has (Liu et al., "Muon is scalable for LLM training", 2025), so
    both share one learning rate and one weight decay.

    Args:
        params: the parameters in the order of the model, or groups of them with a ``weight_decay`` each.
        lr: the learning rate of all.
        weight_decay: where a group names none.
        muon_momentum: how much of the past directions is kept; Nesterov's way.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        muon_momentum: float = 0.95,
    ) -> None:
        given = [p if isinstance(p, dict) else {"params": [p]} for p in params]
        matrices = [p for group in given for p in group["params"] if p.ndim in (2, 4)]
        hidden = {id(p) for p in matrices[1:-1]}
        groups: list[dict[str, Any]] = []
        for is_hidden in (True, False):
            for decay in sorted({group.get("weight_decay", weight_decay) for group in given}, reverse=True):
                of_decay = [group for group in given if group.get("weight_decay", weight_decay) == decay]
                chosen = [p for group in of_decay for p in group["params"] if (id(p) in hidden) is is_hidden]
                if chosen:
                    groups.append({"params": chosen, "lr": lr, "weight_decay": decay, "muon": is_hidden})
        rest = [{**group, "params": list(group["params"])} for group in groups if not group["muon"]]
        self._adamw = AdamW(rest, fused=True)
        others: list[dict[str, Any]] = self._adamw.param_groups
        super().__init__(
            [{**group, "momentum": muon_momentum} for group in groups if group["muon"]] + others, {"lr": lr}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["muon"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._step_hidden(parameter, parameter.grad, group)
        # It works on the groups and the state of this optimizer, so that one state_dict holds everything.
        self._adamw.param_groups = [group for group in self.param_groups if not group["muon"]]
        self._adamw.state = self.state
        self._adamw.step()
        return loss

    def _step_hidden(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        direction = orthogonalize(gradient.lerp(buffer, group["momentum"]).flatten(1))  # (out, in · kh · kw)
        length = 0.2 * math.sqrt(max(direction.shape))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * length)


def orthogonalize(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values moved to about 1, by five Newton-Schulz rounds.

    Args:
        matrix: ``(rows, columns)``.

    Returns:
        The same shape, about ``U Vᵀ`` of its singular value decomposition ``U S Vᵀ``, in single precision.
    """
    a, b, c = _POLYNOMIAL
    x = matrix.to(torch.bfloat16 if matrix.is_cuda else torch.float32)
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / x.norm().clamp(min=1e-7)  # no singular value above 1
    for _ in range(_ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).float()
