"""Focal loss on soft targets, as keypoint detectors use it."""

from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import CellLoss


def focal(logits: Tensor, target: Tensor, gamma: float = 2.0, ring_power: float = 4.0) -> Tensor:
    """``H (1-p)^gamma (-log p) + (1-H)^ring_power p^gamma (-log(1-p))`` a cell; shapes as in ``HeatmapLoss``.

    Lin et al. 2017 (arXiv 1708.02002) with the reduced penalty around a label of Law and Deng 2018 (CornerNet, arXiv
    1808.01244). CornerNet's positives are the cells with ``H = 1`` alone; points lie between cells here, so that
    positives are weighted by ``H``, which is our reading. ``gamma = 0, ring_power = 1`` is binary cross-entropy.
    """
    p = logits.sigmoid()
    positive = target * (1 - p) ** gamma * -F.logsigmoid(logits)
    return positive + (1 - target) ** ring_power * p**gamma * -F.logsigmoid(-logits)


class Focal(CellLoss):
    """``focal`` as a loss.

    Args:
        gamma: how much well-classified cells are discounted; 0 or more.
        ring_power: how much the surroundings of a label are spared; 0 or more.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: a negative argument.
    """

    def __init__(self, gamma: float = 2.0, ring_power: float = 4.0, scale: float = 1.0) -> None:
        if gamma < 0 or ring_power < 0:
            raise ValueError(f"gamma and ring_power must be 0 or more, got {gamma} and {ring_power}")
        super().__init__(scale)
        self.gamma = gamma
        self.ring_power = ring_power

    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """See ``focal``."""
        return focal(logits, target, self.gamma, self.ring_power)
