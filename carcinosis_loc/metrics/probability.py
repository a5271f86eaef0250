"""From scores to probabilities: a logistic curve on the score's logit (Platt scaling)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES, at_or_above

_LIMIT = 12.0  # logits beyond are taken for this: scores of 0 and 1 have none
_CLEAN, _CLEAN_FROM, _ANCHOR = 0.9, 0.95, 2.0  # see ``scale_by_labels``
_RIDGE = 0.01  # holds the slope where scores part objects and background without a fault


class ScoreScale(NamedTuple):
    """``P(a peak is an object) = sigmoid(slope * logit(score) + offset)``. Platt 1999; on logits, Guo et al. 2017."""

    slope: float
    offset: float

    def probability(self, scores: npt.ArrayLike) -> Float64:
        """Probability that a peak of each score is an object; the shape of ``scores``."""
        return np.asarray(expit(self.slope * _logits(scores) + self.offset))

    def score_at(self, probability: float) -> float:
        """The score whose probability this is."""
        return float(expit((logit(probability) - self.offset) / self.slope))


def fitted_scale(objects: Float64, predicted: Int64) -> ScoreScale:
    """The curve of the largest likelihood.

    Args:
        objects: ``(bins,)``, how many of the peaks in each score bin are objects: counted, or in expectation (then a
            bin may hold more of them than peaks).
        predicted: ``(bins,)``, histogram of all peaks.
    """
    bins = np.flatnonzero(predicted)
    x, y, n = _logits(SCORE_EDGES[bins]), objects[bins], predicted[bins]

    def loss(curve: Float64) -> float:
        z = curve[0] * x + curve[1]
        return float(np.sum(n * np.logaddexp(0, z) - y * z) + _RIDGE * np.sum((curve - [1, 0]) ** 2))

    def slope(curve: Float64) -> Float64:
        excess = n * expit(curve[0] * x + curve[1]) - y
        return np.array([np.sum(excess * x), np.sum(excess)]) + 2 * _RIDGE * (curve - [1, 0])

    found = minimize(loss, np.array([1.0, 0.0]), jac=slope, method="L-BFGS-B", bounds=[(0.05, 50), (-200, 200)])
    return ScoreScale(float(found.x[0]), float(found.x[1]))


def scale_by_labels(found: Int64, predicted: Int64) -> tuple[ScoreScale, float]:
    """The curve and the share of objects that is labelled, both at once, **if labels are missing at random**.

    A peak of score ``s`` then carries a label with probability ``share * P(s)``: of the best peaks nearly all are
    objects, so the share of labels among them levels out at ``share``. Curve and share of the largest likelihood use
    every bin, where the best quotient of ``estimated_objects`` uses one, which is often a lucky one: over simulated
    scores the share is off by 2 to 14 % instead of 8 to 25 %. Elkan and Noto's constant (KDD 2008), with a curve that
    need not be the score itself.

    What holds the share where no level is reached is the assumption that the best labels are on clean ground: at the
    score that a twentieth of the found labels exceed, nine of ten peaks are taken to be objects or more.

    Args:
        found: ``(bins,)``, how many of the peaks in each score bin found a label; one at least.
        predicted: ``(bins,)``, histogram of all peaks.
    """
    bins = np.flatnonzero(predicted)
    x, y, n = _logits(SCORE_EDGES[bins]), found[bins], predicted[bins]
    high = x[np.searchsorted(np.cumsum(y), _CLEAN_FROM * y.sum())]

    def loss(values: Float64) -> float:
        slope, offset, share = values
        labelled = expit(share) * expit(slope * x + offset)
        fit = np.sum(y * np.log(np.maximum(labelled, 1e-12)) + (n - y) * np.log1p(-np.minimum(labelled, 1 - 1e-12)))
        lacking = max(0.0, float(logit(_CLEAN)) - (slope * high + offset))
        return float(-fit + _RIDGE * (slope - 1) ** 2 + _ANCHOR * lacking**2)

    starts = [(slope, 0.0, float(logit(share))) for slope in (0.7, 1.5) for share in (0.05, 0.2, 0.5)]
    bounds = [(0.05, 50), (-200, 200), (-8, 8)]
    ends = [minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    slope, offset, share = min(ends, key=lambda end: float(end.fun)).x
    return ScoreScale(float(slope), float(offset)), float(expit(share))


def implied_f1(scale: ScoreScale, predicted: Int64, n_objects: float) -> Float64:
    """F1 at each edge as threshold, if scores read as ``scale`` says: ``(bins,)``.

    Of the peaks at or above a threshold as many are objects as their probabilities add up to; of twice that, F1 is the
    share in peaks and objects together.

    Args:
        scale: from scores to probabilities.
        predicted: ``(bins,)``, histogram of all peaks.
        n_objects: how many there are, found or not.
    """
    true = np.cumsum((scale.probability(SCORE_EDGES) * predicted)[::-1])[::-1]
    return np.asarray(2 * true / (at_or_above(predicted) + n_objects))


def scale_through(low: tuple[float, float], high: tuple[float, float]) -> ScoreScale:
    """The curve through two pairs of score and probability; the second must be the higher in both."""
    (x0, y0), (x1, y1) = ((float(_logits(score)), float(logit(probability))) for score, probability in (low, high))
    slope = (y1 - y0) / max(x1 - x0, 1e-3)
    return ScoreScale(slope, y0 - slope * x0)


def _logits(scores: npt.ArrayLike) -> Float64:
    with np.errstate(divide="ignore"):
        return np.clip(logit(np.asarray(scores, np.float64)), -_LIMIT, _LIMIT)
