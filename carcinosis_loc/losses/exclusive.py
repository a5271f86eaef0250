"""Exclusive cross-entropy: what looks like an object and has no label is left out."""

from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import CellLoss


def exclusive_cross_entropy(
    logits: Tensor, target: Tensor, exclude_above: float = 0.5, positive_weight: float = 6.0
) -> Tensor:
    """``(1 + w H) [H (-log p) + (1 - H) 1[p <= exclude_above] (-log(1-p))]`` a cell; shapes as in ``HeatmapLoss``.

    After Panteli et al. (2021, arXiv 2104.10425), who let the limit rise over the epochs and sample the background;
    here it is a constant and all background counts. With ``exclude_above = 1`` it is ``weighted_bce``.
    """
    kept = (logits.detach().sigmoid() <= exclude_above).to(target.dtype)
    cross_entropy = target * -F.logsigmoid(logits) + (1 - target) * kept * -F.logsigmoid(-logits)
    return (1 + positive_weight * target) * cross_entropy


class ExclusiveCrossEntropy(CellLoss):
    """``exclusive_cross_entropy`` as a loss.

    Args:
        exclude_above: probability above which an unlabelled cell is not taken for background, in (0, 1].
        positive_weight: extra weight at a label's centre, 0 or more.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(self, exclude_above: float = 0.5, positive_weight: float = 6.0, scale: float = 1.0) -> None:
        if not 0 < exclude_above <= 1 or positive_weight < 0:
            raise ValueError(
                "exclude_above must lie in (0, 1] and positive_weight be 0 or more, "
                f"got {exclude_above} and {positive_weight}"
            )
        super().__init__(scale)
        self.exclude_above = exclude_above
        self.positive_weight = positive_weight

    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """See ``exclusive_cross_entropy``."""
        return exclusive_cross_entropy(logits, target, self.exclude_above, self.positive_weight)
