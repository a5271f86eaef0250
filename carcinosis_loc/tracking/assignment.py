"""Which peak belongs to which track."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from carcinosis_loc.tracking.similarity import Float64

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


def assign(predicted: Float64, seen: Float64, max_distance_px: float, allowed: Bool | None = None) -> Int64:
    """Pair predicted and seen points one to one, at the least sum of squared distances.

    A point left alone costs as much as a pair at ``max_distance_px``, so that no pair is stretched for the sake of
    another. (A maximum matching, right for a metric, would shift whole rows of nodules by one.)

    Args:
        predicted: ``(P, 2)``, image pixels.
        seen: ``(S, 2)``, image pixels.
        max_distance_px: no pair is farther apart.
        allowed: ``(P, S)``; None allows every pair.

    Returns:
        Pairs ``(M, 2)``: index of the predicted, index of the seen, sorted.
    """
    if not len(predicted) or not len(seen):
        return np.zeros((0, 2), np.int64)
    square = ((predicted[:, None] - seen[None]) ** 2).sum(2)
    near = square <= max_distance_px**2
    if allowed is not None:
        near &= allowed
    alone = max_distance_px**2 + 1e-9
    rows, columns = linear_sum_assignment(np.where(near, square, alone))
    kept = near[rows, columns]
    return np.stack([rows[kept], columns[kept]], axis=1).astype(np.int64)
