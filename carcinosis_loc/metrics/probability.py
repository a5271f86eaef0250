"""From scores to probabilities: a logistic curve on the score's logit (Platt scaling)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.curves import SCORE_EDGES, at_or_above, ratio
from carcinosis_loc.metrics.labelled_frames import LabelledFrames

_LIMIT = 12.0  # logits beyond are taken for this: scores of 0 and 1 have none
_CLEAN, _CLEAN_FROM, _ANCHOR = 0.9, 0.95, 2.0  # see ``scale_by_labels``
_LEAST = 1e-9  # probability that a logarithm is taken of
_RIDGE = 0.01  # holds the slope where scores part objects and background without a fault
_FLATTEST = 0.05  # slope of a curve
_MOST_STEPS, _NEAR = 100, 1e-7  # of the search for a curve: steps, and the length of one that ends it
_ROUNDING = 1e-12  # share of a sum that it may be off by


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
    x, y, n = _logits(SCORE_EDGES[bins]), objects[bins], predicted[bins].astype(np.float64)
    curve = _climb(x, y, n, np.array([1.0, 0.0]), slope_is_free=True)
    if curve[0] < _FLATTEST:
        curve = _climb(x, y, n, np.array([_FLATTEST, 0.0]), slope_is_free=False)
    return ScoreScale(float(curve[0]), float(curve[1]))


def _climb(x: Float64, y: Float64, n: Float64, curve: Float64, slope_is_free: bool) -> Float64:
    """The curve of the largest likelihood, by Newton's method: it has one summit, as the ridge has."""

    def cost(curve: Float64) -> float:
        z = curve[0] * x + curve[1]
        return float(np.sum(n * np.logaddexp(0, z) - y * z) + _RIDGE * np.sum((curve - [1, 0]) ** 2))

    before = cost(curve)
    for _ in range(_MOST_STEPS):
        p = expit(curve[0] * x + curve[1])
        excess, weight = n * p - y, n * p * (1 - p)
        slope = np.array([np.sum(excess * x), np.sum(excess)]) + 2 * _RIDGE * (curve - [1, 0])
        bend = np.array([[np.sum(weight * x * x), np.sum(weight * x)], [np.sum(weight * x), np.sum(weight)]])
        bend += 2 * _RIDGE * np.eye(2)
        step = np.linalg.solve(bend, slope) if slope_is_free else np.array([0.0, slope[1] / bend[1, 1]])
        if np.abs(step).max() <= _NEAR:
            break
        while (after := cost(curve - step)) > before + _ROUNDING * abs(before):  # too far
            step = step / 2
        curve, before = curve - step, after
    return curve


def scale_by_labels(frames: LabelledFrames, start: ScoreScale | None = None) -> tuple[ScoreScale, float]:
    """The curve and the number of objects, both at once, **if each frame's labels are missing at random**.

    Of a frame's ``n`` objects ``k`` are labelled, whichever: a peak of score ``s`` on it then carries a label with
    probability ``k / n * P(s)``. How many objects there are follows from the curve, ``n = sum P(s) / recall`` over the
    frame's peaks, with the recall on all labels, and so the likelihood is one of the curve alone. It holds where
    annotators mark a fixed number on sparse and on crowded frames, so that an object's chance of a label differs from
    frame to frame: labels count by the inverse of their chance (Horvitz and Thompson 1952). Where that is overlooked,
    objects of sparse frames, which are labelled more often, are taken for the rule, and there seem to be too few.

    The constant of Elkan and Noto (KDD 2008) is ``k / n`` here, and the curve need not be the score itself.

    What holds the curve where no level is reached is the assumption that the best labels are on clean ground: at the
    score that a twentieth of the found labels exceed, nine of ten peaks are taken to be objects or more.

    Args:
        frames: one label at least must have been found.
        start: a curve that the likeliest one is near, which saves most of the time; None looks everywhere.

    Returns:
        The curve, and how many objects there are on all frames, found or not.
    """
    model = _Thinned(frames)
    bounds = [(_FLATTEST, 50), (-200, 200)]
    likely = [start] if start else model.likely_curves()[:2]
    # Of the methods that keep to bounds one that wakes no other threads: for two numbers they cost more than they save.
    ends = [minimize(model.loss, np.array(curve), jac=True, method="SLSQP", bounds=bounds) for curve in likely]
    best = np.asarray(min(ends, key=lambda end: float(end.fun)).x, np.float64)
    return ScoreScale(float(best[0]), float(best[1])), float(model.objects(model.probability(best)).sum())


class _Thinned:
    """The likelihood of ``scale_by_labels``."""

    def __init__(self, frames: LabelledFrames) -> None:
        self.frame, self.labels = frames.frame, frames.n_labelled.astype(np.float64)
        self.x, self.y, self.n = _logits(SCORE_EDGES[frames.bin]), frames.found, frames.predicted
        self.recall = max(1e-3, self.y.sum() / max(1.0, self.labels.sum()))
        order = np.argsort(self.x, kind="stable")
        self._rising, self._labels_below = self.x[order], np.cumsum(self.y[order])

    def label_at(self, share: float) -> float:
        """Logit of the score that this share of the found labels do not exceed."""
        place = np.searchsorted(self._labels_below, share * self._labels_below[-1])
        return float(self._rising[place])

    def likely_curves(self) -> list[ScoreScale]:
        """Curves to begin with, the likeliest first."""
        curves = [
            ScoreScale(slope, -slope * self.label_at(share)) for slope in (0.7, 1.5) for share in (0.02, 0.2, 0.6)
        ]
        return sorted(curves, key=lambda curve: self.loss(np.array(curve))[0])

    def probability(self, curve: Float64) -> Float64:
        return np.asarray(expit(curve[0] * self.x + curve[1]))

    def objects(self, p: Float64) -> Float64:
        """How many there are on each frame, its labels at least."""
        found = np.bincount(self.frame, self.n * p, minlength=len(self.labels))
        return np.asarray(np.maximum(self.labels, found / self.recall))

    def loss(self, curve: Float64) -> tuple[float, Float64]:
        """Negative log-likelihood with its priors, and its gradient."""
        p, rest = self.probability(curve), self.n - self.y
        objects = self.objects(p)
        chance = np.minimum(ratio(self.labels, objects), 1 - _LEAST)[self.frame]
        labelled, bare = np.maximum(chance * p, _LEAST), np.maximum(1 - chance * p, _LEAST)
        likelihood = np.sum(self.y * np.log(labelled) + rest * np.log(bare))
        by_product = self.y / labelled - rest / bare  # the likelihood's slope in chance * p
        by_chance = np.bincount(self.frame, by_product * p, minlength=len(self.labels))
        more = objects > self.labels  # else the chance is held at one
        chance_by_sum = np.where(more, -ratio(self.labels, objects**2) / self.recall, 0.0)
        by_p = by_product * chance + (by_chance * chance_by_sum)[self.frame] * self.n
        by_z = by_p * p * (1 - p)
        high = self.label_at(_CLEAN_FROM)
        lacking = max(0.0, float(logit(_CLEAN)) - float(curve[0] * high + curve[1]))
        value = -likelihood + _RIDGE * (curve[0] - 1) ** 2 + _ANCHOR * lacking**2
        slope = -np.array([np.sum(by_z * self.x), np.sum(by_z)])
        slope += np.array([2 * _RIDGE * (curve[0] - 1) - 2 * _ANCHOR * lacking * high, -2 * _ANCHOR * lacking])
        return float(value), slope


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


def scale_at(score: float, probability: float, slope: float) -> ScoreScale:
    """The curve through a pair of score and probability that has this slope."""
    return ScoreScale(slope, float(logit(probability)) - slope * float(_logits(score)))


def _logits(scores: npt.ArrayLike) -> Float64:
    with np.errstate(divide="ignore"):
        return np.clip(logit(np.asarray(scores, np.float64)), -_LIMIT, _LIMIT)
