"""Crag and Tail loss (arXiv 2507.06643): Hill's tail for the unlabelled, a crag for the labelled."""

from torch import Tensor

from carcinosis_loc.losses.base import split
from carcinosis_loc.losses.hill import Hill, hill_negative, hill_positive


def crag_and_tail(
    logits: Tensor,
    target: Tensor,
    lam: float = 1.5,
    margin: float = 1.0,
    gamma: float = 2.0,
    reinforcement: float = 1.0,
    positive_threshold: float | None = None,
    ring_power: float = 4.0,
) -> Tensor:
    """Loss of every cell: ``w+ [(1-p_m)^gamma (-log p_m) + reinforcement (H-p)^2] + w- (lam-p) p^2``.

    ``p = sigmoid(logits)``, ``p_m = sigmoid(logits - margin)``, ``H`` the target, ``w+`` and ``w-`` from ``split``.
    Arguments as in ``CragAndTail``; shapes as in ``HeatmapLoss``.
    """
    positive, negative = split(target, positive_threshold, ring_power)
    crag = hill_positive(logits, margin, gamma) + reinforcement * (target - logits.sigmoid()) ** 2
    return positive * crag + negative * hill_negative(logits, lam)


class CragAndTail(Hill):
    """``crag_and_tail`` as a loss.

    The paper's summary gives the three terms. Our reading of what it leaves open, each an argument:

    - which cells are positive: all, by the weight ``H`` (``positive_threshold=None``); or those above a threshold;
    - margin, gamma, lambda: those of Hill's authors, 1.0, 2 and 1.5;
    - weight of the reinforcement: 1, and at annotated places only, that is, weighted by ``w+``;
    - normalisation: the mean over the valid cells of each image, times ``scale``;
    - sum or maximum of Gaussians: an argument of ``GaussianEncoder``.

    Args:
        lam: lambda of the negatives; higher pushes unlabelled places down harder.
        margin: shift of the positives' logits.
        gamma: focal power of the positives.
        reinforcement: weight of ``(H - p)^2``; 0 gives Hill.
        positive_threshold: see ``Hill``.
        ring_power: see ``Hill``.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: as ``Hill``; or a negative ``reinforcement``.
    """

    def __init__(
        self,
        lam: float = 1.5,
        margin: float = 1.0,
        gamma: float = 2.0,
        reinforcement: float = 1.0,
        positive_threshold: float | None = None,
        ring_power: float = 4.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__(lam, margin, gamma, positive_threshold, ring_power, scale)
        if reinforcement < 0:
            raise ValueError(f"reinforcement must be 0 or more, got {reinforcement}")
        self.reinforcement = reinforcement

    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """See ``crag_and_tail``."""
        return crag_and_tail(
            logits,
            target,
            lam=self.lam,
            margin=self.margin,
            gamma=self.gamma,
            reinforcement=self.reinforcement,
            positive_threshold=self.positive_threshold,
            ring_power=self.ring_power,
        )
