"""Classification: cross-entropy on soft targets, and what counts as a correct answer."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import NO_CLASS

_LOG_HALF = math.log(0.5)


class Classification:
    """The objective of models that give one logit for each class.

    The loss is the cross-entropy less the entropy of the target, that is the Kullback-Leibler divergence from it. So 0
    is a perfect loss for every sample, and the gradient is that of the cross-entropy. A target that holds one 1 is a
    plain label; others come from MixUp, CutMix or label smoothing. A sample of no class aims at equal probabilities
    (Hendrycks, Mazeika, Dietterich, "Deep anomaly detection with outlier exposure", 2019).
    """

    def __init__(self, spec: DatasetSpec, device: torch.device | str) -> None:
        classes = len(spec.classes)
        no_class = torch.full((1, classes), 1 / classes)
        assert NO_CLASS == -1, "the last row belongs to it"
        self._targets = torch.cat([torch.eye(classes), no_class]).to(device)  # (classes + 1, classes)

    def make_targets(self, labels: Tensor) -> Tensor:
        """Labels ``(N,)`` int64, ``NO_CLASS`` among them, to soft targets ``(N, classes)``."""
        return self._targets[labels]

    def __call__(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss in nats and number of correct answers of logits and soft targets, both ``(N, classes)``.

        A sample of no class is answered correctly where no class is given half the probability.
        """
        logits = logits.float()  # mixed precision ends here
        log_p = F.log_softmax(logits, dim=1)
        loss = F.kl_div(log_p, targets, reduction="batchmean")
        largest, label = targets.max(dim=1)
        has_class = largest > targets.amin(dim=1)
        is_right = torch.where(has_class, logits.argmax(dim=1) == label, log_p.detach().amax(dim=1) < _LOG_HALF)
        return loss, is_right.sum()
