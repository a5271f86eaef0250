"""Mean squared error between heatmaps, the usual loss of keypoint networks and the paper's baseline."""

from torch import Tensor

from carcinosis_loc.losses.base import CellLoss


def mse(logits: Tensor, target: Tensor) -> Tensor:
    """``(H - p)^2`` a cell, ``p = sigmoid(logits)``; shapes as in ``HeatmapLoss``."""
    return (target - logits.sigmoid()) ** 2


class HeatmapMSE(CellLoss):
    """``mse`` as a loss. Every unlabelled cell is a negative to it: that is what the others mend."""

    def cells(self, logits: Tensor, target: Tensor) -> Tensor:
        """See ``mse``."""
        return mse(logits, target)
