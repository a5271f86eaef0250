"""Where in its frame does the next label fall? A loss that no share of missing labels can move."""

import math

import torch
from torch import Tensor

from carcinosis_loc.losses.base import HeatmapLoss, image_means


def where_labels_fall(logits: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """``log sum_x exp z(x) - sum_x H(x) z(x) / sum_x H(x)`` of every image, ``(B,)``; 0 for an image without a label.

    Take labels for a random sample of a frame's objects, ``k`` of ``n``, and let ``exp z(x)`` be the intensity of
    objects. Given ``k``, the places of the labels have the likelihood ``prod_i exp z(x_i) / sum_x exp z(x)``: a softmax
    over the frame's cells. The share ``k / n`` has cancelled out. So a crowded frame of which little is labelled and a
    sparse one of which all is labelled teach the same, where losses on single cells learn that crowded frames score
    low. It is the likelihood of an inhomogeneous Poisson process given the number of its points, known from
    presence-only data in ecology (Warton and Shepherd 2010, Annals of Applied Statistics 4); its use for heatmaps is
    ours.

    Assumes that within a frame every object was as likely to be labelled as another.

    Args:
        logits: ``(B, 1, h, w)``.
        target: the same shape, in [0, 1]; what a label spreads over, it shares.
        mask: the same shape, bool, cells that count; None counts all.
    """
    if mask is not None:
        target = target * mask
        logits = logits.masked_fill(~mask, -math.inf)
    labelled = target.flatten(1).sum(1)
    some = labelled > 0
    # An image without labels may have no valid cell either: it must not meet the infinities.
    flat = torch.where(some[:, None], logits.flatten(1), 0.0)
    pull = (target.flatten(1) * flat.masked_fill(flat == -math.inf, 0.0)).sum(1)
    return torch.where(some, flat.logsumexp(1) - pull / labelled.clamp(min=1e-6), 0.0)


class PointProcess(HeatmapLoss):
    """``where_labels_fall``, and a weak anchor that keeps the scores' level where probabilities can be read.

    The likelihood does not change when a constant is added to all logits of a frame. The anchor,
    ``anchor * mean((z - anchor_logit)^2)``, settles it: background comes to lie near ``anchor_logit``. Scores are no
    probabilities; the calibrated threshold is. A frame without labels teaches nothing but the anchor, not even one
    that is known to hold no object.

    Args:
        anchor: weight of the anchor, above 0.
        anchor_logit: logit that it pulls to.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: an anchor that is not positive.
    """

    def __init__(self, anchor: float = 0.004, anchor_logit: float = -4.0, scale: float = 1.0) -> None:
        if anchor <= 0:
            raise ValueError(f"anchor must be above 0, got {anchor}")
        super().__init__(scale)
        self.anchor = anchor
        self.anchor_logit = anchor_logit

    def value(self, logits: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See the class."""
        likelihood = where_labels_fall(logits, target, mask)
        return (likelihood + self.anchor * image_means((logits - self.anchor_logit) ** 2, mask)).mean()
