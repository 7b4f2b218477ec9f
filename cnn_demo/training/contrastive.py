"""The contrastive objective: find the caption of an image, and the images of a caption."""

from __future__ import annotations

import torch
from torch import Tensor

from cnn_demo.models.clip_small import Similarities
from cnn_demo.training.classification import Classification


class Contrastive(Classification):
    """Symmetric InfoNCE of images and captions with several positives, and classification by prompt.

    InfoNCE: van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding", 2018; both ways
    as in Radford and others, 2021. There each image has one caption, and the other captions of the batch are wrong for
    it. With ten classes that does not hold: many images of a batch have the same captions. So each caption counts once,
    and the targets are spread: an image aims at all wordings of its class alike, a caption at all images of its class
    in the batch alike (Khosla and others, "Supervised contrastive learning", 2020).

    In evaluation the model gives logits of the classes, and the loss is that of :class:`Classification`: the way from
    an image to its caption only. So a training loss and a test loss are near, but not the same quantity.
    """

    def __call__(self, outputs: Tensor | Similarities, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss in nats and number of correct answers.

        Args:
            outputs: logits ``(N, classes)``, or :class:`Similarities` in training.
            targets: ``(N, classes)``, soft, each row sums to 1.
        """
        if isinstance(outputs, Tensor):
            return super().__call__(outputs, targets)
        values = outputs.values.float()  # (N, K, W); mixed precision ends here
        targets = targets.index_select(1, outputs.classes)  # (N, classes) -> (N, K)
        targets = targets / targets.sum(dim=1, keepdim=True).clamp_min(1e-12)
        wordings = values.shape[2]
        flat = values.flatten(1)  # (N, K * W)
        to_captions = (targets / wordings).repeat_interleave(wordings, dim=1)  # (N, K * W)
        loss = (_find_captions(flat, to_captions) + _find_images(flat, to_captions)) / 2
        _, correct = super().__call__(values.detach().mean(dim=2), targets)
        return loss, correct


def _find_captions(similarities: Tensor, targets: Tensor) -> Tensor:
    """From each image to its captions: the mean divergence over the images; both ``(N, captions)``."""
    return _divergence(similarities.log_softmax(dim=1), targets, dim=1).mean()


def _find_images(similarities: Tensor, targets: Tensor) -> Tensor:
    """From each caption to its images in the batch: the mean divergence over the captions that have some.

    What all classes have alike, as in a sample of no class or by label smoothing, does not count.
    """
    share = targets - targets.amin(dim=1, keepdim=True)
    total = share.sum(dim=0)  # (captions,)
    share = share / total.clamp_min(1e-12)
    is_there = (total > 1e-6).to(similarities.dtype)
    each = _divergence(similarities.log_softmax(dim=0), share, dim=0)
    return (each * is_there).sum() / is_there.sum().clamp_min(1)


def _divergence(log_p: Tensor, targets: Tensor, dim: int) -> Tensor:
    """Kullback-Leibler divergence of the targets from p along one dimension."""
    return (torch.xlogy(targets, targets) - targets * log_p).sum(dim=dim)
