"""Generalised expectation of the count: how many cells of an image should be objects, said to the loss."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import HeatmapLoss, image_means


def expected_count_term(logits: Tensor, expected: Tensor, mask: Tensor | None = None) -> Tensor:
    """``-sum_k q(k) log Binomial(k; n, expected / n) / n`` of every image, ``(B,)``.

    Bepler et al. 2019 (Topaz, Nature Methods 16, "GE-binomial"): ``q`` is the count that the network predicts, a
    normal distribution with mean ``sum p`` and variance ``sum p (1 - p)`` over the ``n`` valid cells, at the whole
    numbers. Topaz counts over a minibatch, we over each image and a cell, so that it stands beside a mean over cells.

    Args:
        logits: ``(B, 1, h, w)``.
        expected: ``(B,)``, cells that should be positive in each image; kept within (0, n).
        mask: ``(B, 1, h, w)``, bool, cells that count; None counts all.
    """
    p = logits.sigmoid().flatten(1)
    valid = torch.ones_like(p) if mask is None else mask.flatten(1).to(p.dtype)
    cells = valid.sum(1, keepdim=True)
    mean, variance = (p * valid).sum(1, keepdim=True), (p * (1 - p) * valid).sum(1, keepdim=True).clamp(min=0.25)
    k = torch.arange(p.shape[1] + 1, device=p.device, dtype=p.dtype)
    log_q = (-((k - mean) ** 2) / (2 * variance)).masked_fill(k > cells, -math.inf)
    q = log_q.softmax(1)
    share = (expected.unsqueeze(1) / cells.clamp(min=1)).clamp(1e-6, 1 - 1e-6)
    choose = torch.lgamma(cells + 1) - torch.lgamma(k + 1) - torch.lgamma((cells - k).clamp(min=0) + 1)
    log_binomial = choose + k * share.log() + (cells - k) * torch.log1p(-share)
    term = -(q * log_binomial.masked_fill(k > cells, 0)).sum(1)
    return term / cells.squeeze(1).clamp(min=1)


class GEBinomial(HeatmapLoss):
    """Cross-entropy at the labels, and the count term for all that is not labelled (``expected_count_term``).

    ``mean(H (-log p)) + slack * count term``: unlabelled cells are told how many of them are objects, never which.
    The count that is expected is ``objects_per_label * sum H``, and at least ``least_cells``, so that an image
    without a label is not pressed to nothing.

    Assumes labels missing at random, and about the same ``objects_per_label`` in every image.

    Args:
        objects_per_label: objects over labels, 1 or more.
        slack: weight of the count term.
        least_cells: least expected positive cells of an image.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(
        self, objects_per_label: float = 7.0, slack: float = 1.0, least_cells: float = 1.0, scale: float = 1.0
    ) -> None:
        if objects_per_label < 1 or slack < 0 or least_cells <= 0:
            raise ValueError(
                "objects_per_label must be 1 or more, slack 0 or more and least_cells above 0, "
                f"got {objects_per_label}, {slack} and {least_cells}"
            )
        super().__init__(scale)
        self.objects_per_label = objects_per_label
        self.slack = slack
        self.least_cells = least_cells

    def value(self, logits: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See the class."""
        counted = target if mask is None else target * mask
        expected = (self.objects_per_label * counted.flatten(1).sum(1)).clamp(min=self.least_cells)
        labelled = image_means(target * -F.logsigmoid(logits), mask)
        return (labelled + self.slack * expected_count_term(logits, expected, mask)).mean()
