"""What sparse labels imply about all objects, if labels are missing at random."""

import numpy as np

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import at_or_above, ratio

LEAST_FOUND = 10  # labelled points that must be found before their share says anything


def estimated_objects(found: Int64, predicted: Int64, n_labelled: int) -> float | None:
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
        found: ``(bins,)``, histogram over score bins of the peaks that enlarge the matching with the labels.
        predicted: ``(bins,)``, histogram of all peaks that count.
        n_labelled: labelled points.

    Returns:
        The estimate; None where too few labels were found to tell.
    """
    n_found, n_predicted = at_or_above(found), at_or_above(predicted)
    enough = n_found >= max(LEAST_FOUND, n_labelled / 10)
    if not enough.any():
        return None
    recall = n_found[enough] / n_labelled
    quotient = n_predicted[enough] / recall
    error = np.sqrt(np.maximum(recall * (1 - recall), 0.02) / n_labelled) / recall
    return float(quotient[np.argmin(quotient * (1 + 2 * error))])


def estimated_f1(found: Int64, predicted: Int64, n_labelled: int, n_objects: float) -> Float64:
    """F1 against all objects at each bin's edge as threshold, ``(bins,)``: ``2 n recall / (N + n)``, 1 at most.

    Recall is that on the labels, ``n`` is ``n_objects`` (``estimated_objects``), ``N`` the number of peaks.
    """
    hits = np.minimum(ratio(at_or_above(found), n_labelled) * n_objects, at_or_above(predicted))
    return ratio(2 * hits, at_or_above(predicted) + n_objects)
