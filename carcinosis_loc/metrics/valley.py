"""Where the background's scores end and the objects' begin: a valley between two hills, or the knee of one."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit, logit

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES, at_or_above

BANDWIDTH = 0.3  # of the smoothing, in logit
DEEPEST = 0.8  # a valley must be this much lower than the lower of the hills beside it
ABOVE_BOTTOM, HIGHEST = 1.5, 0.5  # where the threshold is put: at so many bottoms' height; share of the upper hill's
LEAST_PEAKS = 30  # above a valley
LEAST_LABELS = 20  # above a valley, before they can be said to lean
STEEP = 0.3  # the background's hill must fall at least so fast (in log density a logit) for its end to be a knee
FLAT = 0.5  # share of the steepest fall at which the fall is over
PLATEAU = 1.0  # how far it must stay so, in logit
LEAST_BEYOND = 0.05  # share of the peaks that must lie beyond a knee: in the far tail every slope is noise
_STEP = 0.05


class Valley(NamedTuple):
    """A dip in the distribution of peak scores.

    Attributes:
        threshold: probability where, coming from the bottom, the upper hill has reached a share of its
            height that grows with ``depth``.
        depth: density at the bottom over that of the lower hill beside it; small is deep.
        lean: labels in the upper half of the peaks above the valley over those in the lower half, each plus one.
            About 1 if labels are missing at random and all peaks above the valley are objects.
        n_labels: labels found above the valley.
        top: probability where the upper hill is highest.
        bottom: probability where the dip is deepest.
    """

    threshold: float
    depth: float
    lean: float
    n_labels: int
    top: float
    bottom: float


class Knee(NamedTuple):
    """Where the background's scores run out into a plateau of objects.

    Attributes:
        threshold: probability at that place.
        steepness: how fast the background falls where it falls fastest: in log density a logit.
    """

    threshold: float
    steepness: float


def find_valley(found: Int64, predicted: Int64) -> Valley | None:
    """The deepest dip in the histogram of the peaks' scores, on a logit axis; None if there is none that is clear.

    A network that has learnt to tell objects from background gives scores with two hills. The dip between them parts
    the two without a single label, and so also where labels follow conspicuity, or are many on some frames and few on
    others. On hard data the hills overlap, and there is no dip.

    Where hills overlap, the background's is the larger and reaches beyond the bottom of the dip, so that the best
    threshold lies on the near slope of the objects' hill; where they stand apart, it lies near the bottom. So it is put
    where a share of the upper hill's height is reached that is the larger the shallower the dip (1.5 times ``depth``,
    a half at most). ``docs/experiments.md`` has the models that this was chosen on.

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
    share = min(HIGHEST, ABOVE_BOTTOM * depth)
    slope = bottom + int(np.argmax(density[bottom:] >= share * density[bottom:].max()))
    summit = bottom + int(np.argmax(density[bottom:]))
    upper = at_or_above(predicted) <= at_or_above(predicted)[first] / 2
    upper_labels, labels = int(found[upper].sum()), int(found[first:].sum())
    lean = (upper_labels + 1) / (labels - upper_labels + 1)
    threshold, top, lowest = (float(expit(centres[place])) for place in (slope, summit, bottom))
    return Valley(threshold, depth, lean, labels, top, lowest)


def find_knee(predicted: Int64) -> Knee | None:
    """Where the background's hill has run out into a plateau of objects; None if there is no such place.

    Where labels follow conspicuity, objects score anywhere between background and the labelled, and no valley parts
    them. The histogram then falls steeply on the far side of the background's mode and goes on far more gently. The
    knee is where, after the steepest fall, the logarithm of the density falls half as fast, and stays so for a logit. A
    single hill falls ever faster and has none. Objects being as many at each score, a peak's odds to be one rise as
    fast as the background falls.

    Args:
        predicted: ``(bins,)``, histogram over score bins of all peaks.
    """
    density, centres = _smoothed(predicted)
    mode = int(np.argmax(density))
    fall = -np.gradient(np.log(density + 5e-4 * density.max() + 1e-12), _STEP)
    steepest = np.maximum.accumulate(fall[mode:])
    run = round(PLATEAU / _STEP)
    for place in range(mode + 5, len(density) - run):
        if density[place:].sum() < max(LEAST_PEAKS, LEAST_BEYOND * density.sum()):
            return None
        limit = steepest[place - mode]
        if limit >= STEEP and (fall[place : place + run] <= FLAT * limit).all():
            return Knee(float(expit(centres[place])), float(limit))
    return None


def _depth(density: Float64, bottom: int) -> float:
    hill = min(density[:bottom].max(), density[bottom:].max())
    return float(density[bottom] / hill) if hill > 0 else 1.0


def _smoothed(histogram: Int64) -> tuple[Float64, Float64]:
    """Density of the scores on an even grid of logits, and the grid's centres. Scores of 0 and 1 are left out."""
    edges = np.arange(-12, 12 + _STEP / 2, _STEP)
    counts, _ = np.histogram(logit(SCORE_EDGES[1:-1].astype(np.float64)), edges, weights=histogram[1:-1])
    return gaussian_filter1d(counts.astype(np.float64), BANDWIDTH / _STEP), (edges[1:] + edges[:-1]) / 2
