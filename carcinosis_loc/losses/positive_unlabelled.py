"""Non-negative risk for learning from positive and unlabelled cells."""

from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import HeatmapLoss, image_means


def positive_unlabelled_risk(
    logits: Tensor, target: Tensor, mask: Tensor | None = None, objects_per_label: float = 4.0
) -> Tensor:
    """``R+ + max(0, R- )`` of every image, meaned over the images; shapes as in ``HeatmapLoss``, a scalar.

    Kiryo et al. 2017 (arXiv 1703.00593) with the logistic loss, on cells: ``R+ = k mean(H (-log p))`` and
    ``R- = mean(-log(1-p)) - k mean(H (-log(1-p)))``, where ``k`` is how many objects stand behind each label. All
    cells are unlabelled data; ``k`` times the labelled ones estimate the objects' part of it, which is taken away from
    the background's risk. Where too much would be taken away, it is 0, and such an image only pulls its labels up.

    Assumes labels missing at random, and ``k`` the same in every image.
    """
    up, down = -F.logsigmoid(logits), -F.logsigmoid(-logits)
    cells_up, cells_down = objects_per_label * target * up, down - objects_per_label * target * down
    risk_up, risk_down = (image_means(part, mask) for part in (cells_up, cells_down))
    return (risk_up + risk_down.clamp(min=0)).mean()


class NonNegativePU(HeatmapLoss):
    """``positive_unlabelled_risk`` as a loss.

    Args:
        objects_per_label: objects over labels, 1 or more: 1 / the share of objects that is labelled. The true value
            is not always the best one.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: ``objects_per_label`` below 1.
    """

    def __init__(self, objects_per_label: float = 4.0, scale: float = 1.0) -> None:
        if objects_per_label < 1:
            raise ValueError(f"objects_per_label must be 1 or more, got {objects_per_label}")
        super().__init__(scale)
        self.objects_per_label = objects_per_label

    def value(self, logits: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See ``positive_unlabelled_risk``."""
        return positive_unlabelled_risk(logits, target, mask, self.objects_per_label)
