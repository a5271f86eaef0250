"""What sparse labels imply about all objects, if labels are missing at random."""

import math

import numpy as np

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import ratio

LEAST_FOUND = 10  # labelled points that must be found before their share says anything


def recall_beyond_chance(
    n_found: Int64, n_predicted: Int64, n_labelled: int, area_px: float, match_radius_px: float
) -> Float64:
    """Recall on the labels, less what peaks strewn at random would find; in [0, 1], the shape of the counts.

    With ``N`` peaks on an area ``A``, a point has one within the radius by chance with probability
    ``c = 1 - exp(-N pi r^2 / A)``. If a share ``q`` is found for good reason, ``q + (1 - q) c`` are found: solved for
    ``q``. Without this, a network that has learnt nothing and floods the frames would seem to find everything.

    Args:
        n_found: labelled points found, at any number of thresholds.
        n_predicted: peaks, at the same thresholds.
        n_labelled: labelled points in all.
        area_px: area of all frames together, image pixels squared.
        match_radius_px: how far a peak may lie from its point, image pixels.
    """
    chance = 1 - np.exp(-ratio(n_predicted * math.pi * match_radius_px**2, area_px))
    return np.clip(ratio(ratio(n_found, n_labelled) - chance, 1 - chance), 0, 1)


def estimated_objects(recall: Float64, n_predicted: Int64, n_labelled: int) -> float | None:
    """How many objects there are in frames of which some are labelled.

    At a threshold ``t`` the peaks at or above it number ``N(t) >= n_objects * recall(t)``, with equality where all of
    them are objects. **If labels are missing at random**, recall on the labels is recall on all objects, so
    ``N(t) / recall(t)`` never lies below ``n_objects``, and comes down to it where the score is clean: the smallest
    quotient is the estimate. Mixture proportion estimation by the best bin: Garg et al. 2021 (arXiv 2111.00980); the
    idea that the labelled share follows from scores at labels is Elkan and Noto's (KDD 2008). As in the former, the
    threshold is the one with the smallest upper bound of the quotient (recall two standard errors down), so that chance
    does not pick a quotient that is too small; and 10 labels, and a tenth of all, must be found at it.

    Where the conspicuous objects were labelled first, recall on labels is too high and the estimate too low.

    Args:
        recall: recall on the labels at a number of thresholds, see ``recall_beyond_chance``.
        n_predicted: peaks at the same thresholds.
        n_labelled: labelled points.

    Returns:
        The estimate; None where too few labels were found to tell.
    """
    error = np.sqrt(np.maximum(recall * (1 - recall), 0.02) / max(1, n_labelled))
    enough = (recall * n_labelled >= LEAST_FOUND) & (recall >= 0.1) & (recall > 2 * error)
    if not enough.any():
        return None
    quotient = n_predicted[enough] / recall[enough]
    return float(quotient[np.argmin(quotient * (1 + 2 * error[enough] / recall[enough]))])
