"""Precision-recall curves from histograms over score bins. Counts are integers, so sums over processes are exact.

Bin ``b`` holds the scores from ``SCORE_EDGES[b]`` up to, not including, the next edge; the threshold
``SCORE_EDGES[b]`` takes bins ``b`` and above. A curve has one step a bin: scores that share a bin (among them all
equal scores) are taken together.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from carcinosis_loc.metrics.arrays import Bool, Float64, Int64
from carcinosis_loc.points import Float32

# The lower ends of the bins, float32 probabilities, rising: evenly spaced in logit from -12 to 12, then 0 and 1.
# Next to 1 some of them are the same float32 number; those are one bin.
SCORE_EDGES: Float32 = np.unique(np.concatenate([[0], expit(np.linspace(-12, 12, 2**13 + 1)), [1]]).astype(np.float32))
NEUTRAL_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision, recall and F1 from the highest threshold down, only where something changes; all ``(K,)``, float64.

    Attributes:
        thresholds: probabilities, falling; ``score >= threshold`` gives exactly the figures beside it.
        precision: found / predicted.
        recall: found / points, rising; 0 where there are no points.
        f1: 2 found / (predicted + points).
    """

    thresholds: Float64
    precision: Float64
    recall: Float64
    f1: Float64


def score_histogram(scores: Float32, chosen: Bool) -> Int64:
    """How many of the ``chosen`` scores fall into each bin; ``scores`` and ``chosen`` are ``(N,)``."""
    bins = np.searchsorted(SCORE_EDGES, scores[chosen], side="right") - 1
    return np.bincount(bins, minlength=len(SCORE_EDGES)).astype(np.int64)


def at_or_above(histogram: Int64) -> Int64:
    """Counts at each edge taken as threshold: the sum over this bin and those above."""
    return np.cumsum(histogram[::-1])[::-1]


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Float64:
    """Elementwise quotient, where 0/0 is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    out: Float64 = np.zeros(top.shape)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def quotient(numerator: float, denominator: float) -> float:
    """Quotient of two numbers, where 0/0 is 0."""
    return numerator / denominator if denominator else 0.0


def precision_recall_curve(found: Int64, predicted: Int64, n_points: int) -> Curve:
    """The curve of two histograms: peaks that enlarge the matching, and all peaks that count."""
    steps = np.flatnonzero(predicted)[::-1]
    n_found, n_predicted = at_or_above(found)[steps], at_or_above(predicted)[steps]
    return Curve(
        thresholds=SCORE_EDGES[steps].astype(np.float64),
        precision=ratio(n_found, n_predicted),
        recall=ratio(n_found, n_points),
        f1=ratio(2 * n_found, n_predicted + n_points),
    )


def average_precision(found: Int64, predicted: Int64, n_points: int) -> float:
    """Uninterpolated step sum: over falling thresholds, gain in recall times precision. 0 without points."""
    curve = precision_recall_curve(found, predicted, n_points)
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))


def best_f1(found: Int64, predicted: Int64, n_points: int) -> tuple[float, float]:
    """The highest F1 of all thresholds and a threshold that gives it, see ``best_threshold``."""
    f1 = ratio(2 * at_or_above(found), at_or_above(predicted) + n_points)
    return best_threshold(f1, predicted)


def best_threshold(value: Float64, predicted: Int64) -> tuple[float, float]:
    """The highest of the values at the edges, and the threshold to take for it.

    Every threshold between two neighbouring scores has the same value. The middle of that plateau, in logit, is
    taken: scores of new frames fall on either side. Under the lowest score the plateau has no end, and its upper
    end is taken. Of several plateaus of equal value the highest is taken. If no value is above 0, no threshold is
    better than another, and it is 0.5.

    Args:
        value: ``(bins,)``, figure at each edge as threshold.
        predicted: ``(bins,)``, histogram of the scores.
    """
    steps = np.flatnonzero(predicted)
    if not len(steps) or value[steps].max() <= 0:
        return 0.0, NEUTRAL_THRESHOLD
    best = int(np.flatnonzero(value[steps] == value[steps].max())[-1])
    upper = int(steps[best])
    lower = int(steps[best - 1]) + 1 if best else upper
    return float(value[upper]), float(SCORE_EDGES[(lower + upper) // 2])
