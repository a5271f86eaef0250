"""What all losses share: a mask, a mean over each image, and full precision."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


def mean_per_image(cell_loss: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the valid cells of each image, then over the images.

    Every image weighs the same however many points or valid cells it has, so the gradient over several processes
    does not depend on which of them got the points.

    Args:
        cell_loss: ``(B, 1, h, w)``.
        mask: ``(B, 1, h, w)``, bool, True where the loss counts; None counts all.
    """
    return image_means(cell_loss, mask).mean()


def image_means(cell_loss: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the valid cells of each image, ``(B,)``; arguments as in ``mean_per_image``.

    An image without a valid cell gives 0 that still reaches the parameters (a detached zero would stall a run on
    several processes).
    """
    if mask is None:
        return cell_loss.flatten(1).mean(1)
    weight = mask.to(cell_loss.dtype)
    return (cell_loss * weight).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp(min=1)


def split(target: Tensor, positive_threshold: float | None, ring_power: float) -> tuple[Tensor, Tensor]:
    """Weights of the positive and of the negative term for a soft target ``H``.

    With ``positive_threshold=None`` they are ``H`` and ``1 - H``. With a threshold, cells with
    ``H >= positive_threshold`` are positive, the others negative with weight ``(1 - H)^ring_power``, so that the
    surroundings of a label are pushed down less (CornerNet, arXiv 1808.01244). On a binary target all choices
    agree.
    """
    if positive_threshold is None:
        return target, 1 - target
    positive = (target >= positive_threshold).to(target.dtype)
    return positive, (1 - positive) * (1 - target) ** ring_power


class HeatmapLoss(nn.Module, ABC):
    """A loss on the logits of a heatmap, given the soft target.

    Subclasses define ``value``; those that are a mean over cells are a ``CellLoss``.

    Args:
        scale: factor on the whole; matters to SGD alone, whose step follows the gradient's size.

    Shape:
        logits ``(B, 1, h, w)``, any floating type; target the same shape, in [0, 1]; mask the same, bool, or
        None. Gives a scalar, float32 (float64 for float64 logits), finite for finite logits.

    Raises:
        ValueError: shapes that differ.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, logits: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Loss of a batch, see the class."""
        if logits.shape != target.shape or (mask is not None and mask.shape != target.shape):
            shape = None if mask is None else tuple(mask.shape)
            raise ValueError(f"shapes differ: {tuple(logits.shape)}, {tuple(target.shape)}, mask {shape}")
        precision = torch.float64 if logits.dtype == torch.float64 else torch.float32
        return self.scale * self.value(logits.to(precision), target.to(precision), mask)

    @abstractmethod
    def value(self, logits: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """Loss of a batch before ``scale``, a scalar; shapes are right and full precision comes in."""


class CellLoss(HeatmapLoss):
    """A loss that is a mean over cells, see ``mean_per_image``. Subclasses define ``cells``."""

    def value(self, logits: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """Mean of ``cells`` over the valid cells of each image, then over the images."""
        return mean_per_image(self.cells(logits, target), mask)

    @abstractmethod
    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of every cell, the shape of ``logits``; full precision comes in."""
