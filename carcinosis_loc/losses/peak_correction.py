"""Confident unlabelled peaks are turned into labels inside the loss."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from carcinosis_loc.losses.base import HeatmapLoss


@torch.no_grad()
def corrected_target(
    logits: Tensor, target: Tensor, mask: Tensor | None, confidence: float, sigma_cells: float
) -> Tensor:
    """``target`` with a Gaussian at every local maximum of ``p`` above ``confidence``; shape and range stay.

    A maximum is a cell that is the highest of its 3x3 neighbourhood. Near a label, where ``target > 0.1``, none is
    added, nor outside the mask. Gaussians that overlap are joined by their maximum.
    """
    if mask is not None:
        logits = logits.masked_fill(~mask, -math.inf)
    summit = (F.max_pool2d(logits, 3, 1, 1) == logits) & (logits.sigmoid() > confidence) & (target <= 0.1)
    reach = math.ceil(3 * sigma_cells)
    offsets = torch.arange(-reach, reach + 1, device=logits.device, dtype=target.dtype)
    profile = torch.exp(-(offsets**2) / (2 * sigma_cells**2))
    # The largest of several Gaussians, one axis after the other: exp(-x^2) exp(-y^2).
    rows = (F.pad(summit.to(target.dtype), (0, 0, reach, reach)).unfold(2, 2 * reach + 1, 1) * profile).amax(-1)
    both = (F.pad(rows, (reach, reach)).unfold(3, 2 * reach + 1, 1) * profile).amax(-1)
    return torch.maximum(target, both)


class PeakCorrection(HeatmapLoss):
    """Another loss, on a target to which the network's own confident peaks are added.

    Self-paced loss correction (SPLC, Zhang et al. 2021, arXiv 2112.07368) turns every unlabelled class with
    ``p > tau`` into a positive. On a heatmap that would let blobs grow cell by cell, so it is done at local maxima,
    each with a whole Gaussian; that is our reading. It needs no second network, and believes whatever it is sure of.

    Args:
        loss: what is computed on the corrected target.
        confidence: ``tau``, probability above which a peak is believed, in (0, 1).
        sigma_cells: standard deviation of an added Gaussian, cells: the encoder's ``sigma_px`` over the stride.
        scale: see ``HeatmapLoss``.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(
        self, loss: HeatmapLoss, confidence: float = 0.6, sigma_cells: float = 1.0, scale: float = 1.0
    ) -> None:
        if not 0 < confidence < 1 or not 0 < sigma_cells <= 100:
            raise ValueError(
                f"confidence must lie in (0, 1) and sigma_cells in (0, 100], got {confidence} and {sigma_cells}"
            )
        super().__init__(scale)
        self.loss = loss
        self.confidence = confidence
        self.sigma_cells = sigma_cells

    def value(self, logits: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See the class."""
        corrected = corrected_target(logits, target, mask, self.confidence, self.sigma_cells)
        return self.loss(logits, corrected, mask)  # type: ignore[no-any-return]
