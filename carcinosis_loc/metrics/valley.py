"""The valley between the background's scores and the objects', and whether labels crowd at the top above it."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit, logit

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES, at_or_above

BANDWIDTH = 0.3  # of the smoothing, in logit
DEEPEST = 0.8  # a valley must be this much lower than the lower of the hills beside it
SLOPE = 1 / 3  # height of the upper hill at which the threshold is put
LEAST_PEAKS = 30  # above a valley
LEAST_LABELS = 20  # above a valley, before they can be said to lean
_STEP = 0.05


class Valley(NamedTuple):
    """A dip in the distribution of peak scores.

    Attributes:
        threshold: probability where, coming from the bottom, the upper hill has reached a third of its height.
        depth: density at the bottom over that of the lower hill beside it; small is deep.
        lean: labels in the upper half of the peaks above the valley over those in the lower half, each plus one.
            About 1 if labels are missing at random and all peaks above the valley are objects.
        n_labels: labels found above the valley.
        top: probability where the upper hill is highest.
    """

    threshold: float
    depth: float
    lean: float
    n_labels: int
    top: float


def find_valley(found: Int64, predicted: Int64) -> Valley | None:
    """The deepest dip in the histogram of the peaks' scores, on a logit axis; None if there is none that is clear.

    A network that has learnt to tell objects from background gives scores with two hills. The dip between them parts
    the two without a single label, and so also where labels follow conspicuity, or are many on some frames and few on
    others. On hard data the hills overlap, and there is no dip.

    The background's hill is far the larger and reaches beyond the bottom of the dip, so that the best threshold lies
    on the near slope of the objects' hill. A third of its height is our rule: half of it fits noisy scores better,
    and loses more where the hills stand well apart.

    Args:
        found: ``(bins,)``, histogram over score bins of the peaks that enlarge the matching with the labels.
        predicted: ``(bins,)``, histogram of all peaks that count.
    """
    density, centres = _smoothed(predicted)
    inner = np.flatnonzero((density[1:-1] <= density[:-2]) & (density[1:-1] < density[2:])) + 1
    depths = [(_depth(density, int(place)), int(place)) for place in inner]
    depth, bottom = min(depths, default=(1.0, 0))
    first = int(np.searchsorted(SCORE_EDGES, expit(centres[bottom])))
    if depth > DEEPEST or at_or_above(predicted)[first] < LEAST_PEAKS:
        return None
    slope = bottom + int(np.argmax(density[bottom:] >= SLOPE * density[bottom:].max()))
    top = bottom + int(np.argmax(density[bottom:]))
    upper = at_or_above(predicted) <= at_or_above(predicted)[first] / 2
    upper_labels, labels = int(found[upper].sum()), int(found[first:].sum())
    lean = (upper_labels + 1) / (labels - upper_labels + 1)
    return Valley(float(expit(centres[slope])), depth, lean, labels, float(expit(centres[top])))


def _depth(density: Float64, bottom: int) -> float:
    hill = min(density[:bottom].max(), density[bottom:].max())
    return float(density[bottom] / hill) if hill > 0 else 1.0


def _smoothed(histogram: Int64) -> tuple[Float64, Float64]:
    """Density of the scores on an even grid of logits, and the grid's centres. Scores of 0 and 1 are left out."""
    edges = np.arange(-12, 12 + _STEP / 2, _STEP)
    counts, _ = np.histogram(logit(SCORE_EDGES[1:-1].astype(np.float64)), edges, weights=histogram[1:-1])
    return gaussian_filter1d(counts.astype(np.float64), BANDWIDTH / _STEP), (edges[1:] + edges[:-1]) / 2
