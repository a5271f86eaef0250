"""Binary cross-entropy with soft targets, labelled places weighted up."""

from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import CellLoss


def weighted_bce(logits: Tensor, target: Tensor, positive_weight: float = 6.0) -> Tensor:
    """``(1 + positive_weight * H) * BCE(p, H)`` a cell; shapes as in ``HeatmapLoss``.

    With weight 0 it is a proper score: p then tends to H times the share of objects that is labelled. With a
    weight the optimum lies higher, so that its scores are no probabilities.
    """
    return (1 + positive_weight * target) * F.binary_cross_entropy_with_logits(logits, target, reduction="none")


class WeightedBCE(CellLoss):
    """``weighted_bce`` as a loss.

    Args:
        positive_weight: extra weight at a label's centre, 0 or more.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: a negative weight.
    """

    def __init__(self, positive_weight: float = 6.0, scale: float = 1.0) -> None:
        if positive_weight < 0:
            raise ValueError(f"positive_weight must be 0 or more, got {positive_weight}")
        super().__init__(scale)
        self.positive_weight = positive_weight

    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """See ``weighted_bce``."""
        return weighted_bce(logits, target, self.positive_weight)
