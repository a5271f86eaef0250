"""Hill loss (Zhang et al. 2021, arXiv 2112.07368), carried over from multi-label classification to heatmaps."""

from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import CellLoss, split


def hill_positive(logits: Tensor, margin: float = 1.0, gamma: float = 2.0) -> Tensor:
    """``(1 - p_m)^gamma * (-log p_m)`` with ``p_m = sigmoid(logits - margin)``: focal, semi-hard positives."""
    shifted = logits - margin
    return (-shifted).sigmoid() ** gamma * -F.logsigmoid(shifted)


def hill_negative(logits: Tensor, lam: float = 1.5) -> Tensor:
    """``(lam - p) p^2`` with ``p = sigmoid(logits)``.

    Its gradient on the logit, ``p^2 (1 - p) (2 lam - 3 p)``, vanishes for confident cells: an unlabelled place that
    looks like an object is taken for a missed label. For ``lam < 1.5`` it turns negative above ``p = 2 lam / 3``.
    """
    p = logits.sigmoid()
    return (lam - p) * p**2


class Hill(CellLoss):
    """``w+ hill_positive + w- hill_negative``, weights from ``split``.

    Args:
        lam: lambda of the negatives; 1.5 in the authors' code.
        margin: shift of the positives' logits; 1.0 in the authors' code.
        gamma: focal power of the positives; 2 in the authors' code.
        positive_threshold: from which target value a cell is positive; None weighs both terms softly. The authors
            have binary targets, so this is our reading.
        ring_power: see ``split``; only with a threshold.
        scale: see ``HeatmapLoss``. The authors sum over classes; we take the mean over cells.

    Raises:
        ValueError: ``lam`` or ``gamma`` negative, ``positive_threshold`` outside (0, 1].
    """

    def __init__(
        self,
        lam: float = 1.5,
        margin: float = 1.0,
        gamma: float = 2.0,
        positive_threshold: float | None = None,
        ring_power: float = 4.0,
        scale: float = 1.0,
    ) -> None:
        if lam < 0 or gamma < 0:
            raise ValueError(f"lam and gamma must be 0 or more, got {lam} and {gamma}")
        if positive_threshold is not None and not 0 < positive_threshold <= 1:
            raise ValueError(f"positive_threshold must lie in (0, 1], got {positive_threshold}")
        super().__init__(scale)
        self.lam = lam
        self.margin = margin
        self.gamma = gamma
        self.positive_threshold = positive_threshold
        self.ring_power = ring_power

    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """See the class."""
        positive, negative = split(target, self.positive_threshold, self.ring_power)
        up = hill_positive(logits, self.margin, self.gamma)
        return positive * up + negative * hill_negative(logits, self.lam)
