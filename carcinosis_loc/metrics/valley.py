"""The valley between the background's scores and the objects', and whether labels crowd at the top above it."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import logit

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES, at_or_above

BANDWIDTH = 0.3  # of the smoothing, in logit
DEEPEST = 0.8  # a valley must be this much lower than the lower of the hills beside it
LEAST_PEAKS = 30  # above a valley
LEAST_LABELS = 20  # above a valley, before they can be said to lean
_STEP = 0.05


class Valley(NamedTuple):
    """A dip in the distribution of peak scores.

    Attributes:
        threshold: probability at its bottom.
        depth: density at the bottom over that of the lower hill beside it; small is deep.
        lean: labels in the upper half of the peaks above the valley over those in the lower half, each plus one.
            About 1 if labels are missing at random and all peaks above the valley are objects.
        n_labels: labels found above the valley.
    """

    threshold: float
    depth: float
    lean: float
    n_labels: int


def find_valley(found: Int64, predicted: Int64) -> Valley | None:
    """The deepest dip in the histogram of the peaks' scores, on a logit axis; None if there is none that is clear.

    A network that has learnt to tell objects from background gives scores with two hills. The dip between them parts
    the two without a single label, and so also where labels follow conspicuity. On hard data the hills overlap, and
    there is no dip.

    Args:
        found: ``(bins,)``, histogram over score bins of the peaks that enlarge the matching with the labels.
        predicted: ``(bins,)``, histogram of all peaks that count.
    """
    density, centres = _smoothed(predicted)
    inner = np.flatnonzero((density[1:-1] <= density[:-2]) & (density[1:-1] < density[2:])) + 1
    best: tuple[float, float] | None = None
    for place in inner:
        hills = min(density[:place].max(), density[place:].max())
        if hills <= 0 or (best is not None and density[place] / hills >= best[0]):
            continue
        best = float(density[place] / hills), float(1 / (1 + np.exp(-centres[place])))
    if best is None or best[0] > DEEPEST:
        return None
    first = int(np.searchsorted(SCORE_EDGES, best[1]))
    if at_or_above(predicted)[first] < LEAST_PEAKS:
        return None
    upper = at_or_above(predicted) <= at_or_above(predicted)[first] / 2
    upper_labels, labels = int(found[upper].sum()), int(found[first:].sum())
    return Valley(best[1], best[0], (upper_labels + 1) / (labels - upper_labels + 1), labels)


def _smoothed(histogram: Int64) -> tuple[Float64, Float64]:
    """Density of the scores on an even grid of logits, and the grid's centres. Scores of 0 and 1 are left out."""
    edges = np.arange(-12, 12 + _STEP / 2, _STEP)
    counts, _ = np.histogram(logit(SCORE_EDGES[1:-1].astype(np.float64)), edges, weights=histogram[1:-1])
    return gaussian_filter1d(counts.astype(np.float64), BANDWIDTH / _STEP), (edges[1:] + edges[:-1]) / 2
