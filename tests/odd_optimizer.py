"""An optimizer whose state is of every kind, to show that a snapshot does not depend on the optimizer."""

from __future__ import annotations

from typing import Any

import torch


class OddOptimizer(torch.optim.Optimizer):
    """Keeps whole numbers, nested tensors, a text and a counter in its group, and needs each as it was."""

    def __init__(self, parameters: Any, lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "turn": 0})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["turn"] += 1
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state |= {"seen": torch.zeros(2, dtype=torch.int64), "past": {"deltas": []}, "mood": "calm"}
                state["seen"][group["turn"] % 2] += 1
                delta = p.grad * group["lr"] / (1 + group["turn"])
                state["past"]["deltas"] = [*state["past"]["deltas"], delta][-2:]
                assert state["seen"].dtype is torch.int64
                assert state["mood"] == "calm"
                for old in state["past"]["deltas"]:
                    p.sub_(old, alpha=float(state["seen"][0]))
