"""Curves from histograms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from carcinosis_loc.metrics.curves import (
    SCORE_EDGES,
    at_or_above,
    average_precision,
    best_f1,
    best_threshold,
    precision_recall_curve,
    ratio,
    score_histogram,
)

ALL_SCORES = st.lists(st.floats(0, 1, width=32) | st.sampled_from(SCORE_EDGES.tolist()), max_size=30)


def histograms(*steps):
    """From ``(score, found, predicted)``."""
    found, predicted = np.zeros((2, len(SCORE_EDGES)), np.int64)
    for score, n_found, n_predicted in steps:
        bin_of = np.searchsorted(SCORE_EDGES, np.float32(score), side="right") - 1
        found[bin_of] += n_found
        predicted[bin_of] += n_predicted
    return found, predicted


def test_edges_rise_strictly_from_0_to_1_evenly_in_logit():
    assert SCORE_EDGES.dtype == np.float32
    assert (SCORE_EDGES[0], SCORE_EDGES[-1]) == (0, 1)
    assert (np.diff(SCORE_EDGES) > 0).all()
    assert np.float32(0.5) in SCORE_EDGES
    inner = SCORE_EDGES[(SCORE_EDGES > 1e-5) & (SCORE_EDGES < 0.999)].astype(np.float64)
    assert np.diff(logit(inner)) == pytest.approx(24 / 2**13, rel=0.05)


@settings(deadline=None)
@given(ALL_SCORES)
def test_counts_at_an_edge_are_those_of_scores_at_or_above_it(scores):
    scores = np.array(scores, np.float32)
    counts = at_or_above(score_histogram(scores, np.ones(len(scores), np.bool_)))
    for index in {0, len(SCORE_EDGES) - 1, *(np.searchsorted(SCORE_EDGES, scores, side="right") - 1)}:
        assert counts[index] == (scores >= SCORE_EDGES[index]).sum()


def test_only_chosen_scores_are_counted():
    histogram = score_histogram(np.array([0.9, 0.5, 0.1], np.float32), np.array([True, False, True]))
    assert histogram.sum() == 2
    assert at_or_above(histogram)[np.searchsorted(SCORE_EDGES, np.float32(0.5))] == 1


def test_curve_and_average_precision_by_hand():
    """4 points; thresholds 0.9 (1 of 1), 0.6 (2 of 4) and 0.2 (3 of 6)."""
    found, predicted = histograms((0.9, 1, 1), (0.6, 1, 3), (0.2, 1, 2))
    curve = precision_recall_curve(found, predicted, 4)
    assert curve.precision.tolist() == [1, 2 / 4, 3 / 6]
    assert curve.recall.tolist() == [1 / 4, 2 / 4, 3 / 4]
    assert curve.f1.tolist() == [2 / 5, 4 / 8, 6 / 10]
    assert curve.thresholds == pytest.approx([0.9, 0.6, 0.2], abs=1e-3)
    assert (np.array([0.9, 0.6, 0.2], np.float32) >= curve.thresholds).all()
    assert average_precision(found, predicted, 4) == pytest.approx(1 / 4 * (1 + 2 / 4 + 3 / 6))
    value, threshold = best_f1(found, predicted, 4)
    assert value == 6 / 10
    assert threshold == pytest.approx(0.2, abs=1e-3)  # nothing lies below: the plateau's upper end


def test_the_best_threshold_is_the_middle_of_its_plateau_in_logit():
    found, predicted = histograms((0.9, 3, 3), (0.1, 0, 5))
    value, threshold = best_f1(found, predicted, 3)
    assert value == 1
    assert threshold == pytest.approx(0.5, abs=1e-3)


def test_of_equal_plateaus_the_highest_is_taken():
    """F1 is 2/4 with the first alone (1 of 1, 3 points) and 4/8 with all (2 of 5)."""
    found, predicted = histograms((0.9, 1, 1), (0.6, 0, 2), (0.3, 1, 2))
    value, threshold = best_f1(found, predicted, 3)
    assert value == 0.5
    assert 0.6 < threshold < 0.9


@pytest.mark.parametrize("steps", [(), ((0.9, 0, 3), (0.1, 0, 1))])
@pytest.mark.parametrize("n_points", [0, 4])
def test_nothing_found(steps, n_points):
    found, predicted = histograms(*steps)
    assert best_f1(found, predicted, n_points) == (0.0, 0.5)
    assert average_precision(found, predicted, n_points) == 0
    curve = precision_recall_curve(found, predicted, n_points)
    assert curve.f1.tolist() == curve.recall.tolist() == curve.precision.tolist() == [0.0] * len(steps)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SCORE_EDGES.tolist()), st.booleans()), min_size=1, max_size=20))
def test_the_best_is_the_best_and_recall_rises(peaks):
    found, predicted = histograms(*((score, int(hit), 1) for score, hit in peaks))
    n_points = sum(hit for _, hit in peaks) + 1
    curve = precision_recall_curve(found, predicted, n_points)
    value, threshold = best_f1(found, predicted, n_points)
    assert value == curve.f1.max()
    index = np.searchsorted(SCORE_EDGES, np.float32(threshold))
    assert SCORE_EDGES[index] == np.float32(threshold)
    if value:
        assert value == 2 * at_or_above(found)[index] / (at_or_above(predicted)[index] + n_points)
    assert (np.diff(curve.recall) >= 0).all()
    assert (np.diff(curve.thresholds) < 0).all()


def test_best_threshold_takes_any_figure():
    _, predicted = histograms((0.9, 0, 1), (0.5, 0, 1), (0.1, 0, 1))
    value = np.where(SCORE_EDGES <= 0.5, 0.75, 0.25)
    value[SCORE_EDGES < 0.1] = 0.0
    highest, threshold = best_threshold(value, predicted)
    assert highest == 0.75
    assert threshold == pytest.approx(0.25, abs=2e-3)  # logit -1.1 lies midway between 0 (p = .5) and -2.2 (p = .1)


def test_ratio_of_zeros_is_zero():
    assert ratio([0, 1, 0], [0, 2, 4]).tolist() == [0, 0.5, 0]
