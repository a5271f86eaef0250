"""Matching: exact cases, then every matching there is, then SciPy's own on larger sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial.distance import cdist
from slow_matching import RADII, best_matching, peaks_at, peaks_of, points_xy

from carcinosis_loc.metrics import candidate_pairs, closest_matching, match_curve, maximum_matching
from carcinosis_loc.points import Peaks, Points


def line(*xs):
    """Points on the x axis."""
    return np.array([(x, 0) for x in xs], np.float32).reshape(-1, 2)


def test_a_distance_equal_to_the_radius_is_within():
    peaks, truth = np.array([[0, 0]], np.float32), np.array([[3, 4], [3, 4.001]], np.float32)
    pairs, distances = candidate_pairs(peaks, truth, 5.0)
    assert pairs.tolist() == [[0, 0]]
    assert distances.tolist() == [5.0]


def test_pairs_are_sorted_by_peak_then_distance_then_point():
    pairs, distances = candidate_pairs(line(2, 0), line(0, 3, 1), 2.0)
    assert pairs.tolist() == [[0, 1], [0, 2], [0, 0], [1, 0], [1, 2]]
    assert distances.tolist() == [1, 1, 2, 0, 1]


@pytest.mark.parametrize(("n_peaks", "n_points"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_match(n_peaks, n_points):
    peaks = Peaks(np.ones((n_peaks, 2), np.float32), np.ones(n_peaks, np.float32))
    truth = Points(np.ones((n_points, 2), np.float32))
    assert match_curve(peaks, truth, 2.0).tolist() == [False] * n_peaks
    assert maximum_matching(peaks.xy, truth.xy, 2.0) == 0
    pairs, distances = closest_matching(peaks.xy, truth.xy, 2.0)
    assert (pairs.shape, distances.shape) == ((0, 2), (0,))


def test_the_best_peak_does_not_take_the_only_point_of_another():
    """The best peak lies nearest to the point at 0, which is the only one that the second reaches: both match."""
    peaks = peaks_at((1, 0, 0.9), (-1.5, 0, 0.8))
    truth = Points(line(0, 2.5))
    assert match_curve(peaks, truth, 1.6).tolist() == [True, True]
    pairs, _ = closest_matching(peaks.xy, truth.xy, 1.6)
    assert pairs.tolist() == [[0, 1], [1, 0]]


def test_radius_first_finds_what_assignment_first_loses():
    """Assigning on raw distance takes 0.9 + 2.0 (total 2.9), of which the radius leaves one; 1.5 + 1.5 are two."""
    peaks, truth = line(0, 1.5), np.array([[1.5, 0], [1.5, 1.5]], np.float32)
    raw = cdist(peaks, truth)
    rows, columns = linear_sum_assignment(raw)
    assert (raw[rows, columns] <= 1.5).sum() == 1
    assert maximum_matching(peaks, truth, 1.5) == 2


def test_a_chain_of_shifts():
    """Each later peak reaches only what is held; one shift moves every match one place to the right."""
    n = 3000  # deeper than Python's stack
    peaks = np.concatenate([line(*(np.arange(n) + 0.5)), line(-0.5)])
    scores = np.linspace(0.9, 0.1, n + 1, dtype=np.float32)
    truth = Points(line(*np.arange(n + 1)))
    assert match_curve(Peaks(peaks, scores), truth, 0.5).all()
    assert not match_curve(Peaks(np.concatenate([peaks, peaks[:1]]), np.append(scores, 0)), truth, 0.5)[-1]
    pairs, distances = closest_matching(peaks[:200], truth.xy[:201], 0.5)
    assert len(pairs) == 200
    assert distances.tolist() == [0.5] * 200


def test_number_of_matches_goes_before_distance():
    """The pair at distance 0 would cost the second match."""
    pairs, distances = closest_matching(line(0, 3), line(0, -3), 3.0)
    assert pairs.tolist() == [[0, 1], [1, 0]]
    assert distances.tolist() == [3.0, 3.0]


def test_identical_points_are_matched_once_each():
    assert match_curve(peaks_at((1, 1, 0.9), (1, 1, 0.9), (1, 1, 0.9)), Points(np.ones((2, 2))), 1.0).sum() == 2


@settings(deadline=None)
@given(peaks_of(), points_xy, st.sampled_from(RADII))
def test_the_curve_is_the_maximum_at_every_prefix(peaks, truth, radius):
    found = match_curve(peaks, Points(truth), radius)
    sizes = [best_matching(peaks.xy[:n], truth, radius)[0] for n in range(len(peaks) + 1)]
    assert [0, *np.cumsum(found)] == sizes
    assert maximum_matching(peaks.xy, truth, radius) == sizes[-1]


@settings(deadline=None)
@given(points_xy, points_xy, st.sampled_from(RADII))
def test_the_closest_matching_is_the_closest_of_all_maximum_ones(peaks, truth, radius):
    pairs, distances = closest_matching(peaks, truth, radius)
    size, total = best_matching(peaks, truth, radius)
    assert len(pairs) == len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == size
    assert distances.sum() == pytest.approx(total, abs=1e-12)
    assert distances == pytest.approx(np.linalg.norm(peaks[pairs[:, 0]] - truth[pairs[:, 1]], axis=1))
    assert (distances <= radius).all()


@pytest.mark.parametrize("radius", [2.0, 5.0, 12.0])
def test_against_scipy_on_crowded_frames(radius):
    random = np.random.default_rng(round(radius))
    for _ in range(8):
        peaks = random.integers(0, 50, (60, 2)).astype(np.float32)
        truth = random.integers(0, 50, (50, 2)).astype(np.float32)
        near = cdist(peaks, truth) <= radius
        sizes = [(maximum_bipartite_matching(csr_array(near[:n])) >= 0).sum() for n in range(1, len(peaks) + 1)]
        scores = np.linspace(1, 0, len(peaks), dtype=np.float32)
        assert np.cumsum(match_curve(Peaks(peaks, scores), Points(truth), radius)).tolist() == sizes
        assert len(closest_matching(peaks, truth, radius)[0]) == sizes[-1]


@settings(deadline=None)
@given(points_xy, points_xy, st.sampled_from(RADII), st.randoms(use_true_random=False))
def test_order_changes_neither_size_nor_distance(peaks, truth, radius, random):
    shuffled = peaks[random.sample(range(len(peaks)), len(peaks))]
    assert maximum_matching(shuffled, truth, radius) == maximum_matching(peaks, truth, radius)
    totals = [closest_matching(xy, truth, radius)[1].sum() for xy in (peaks, shuffled)]
    assert totals[0] == pytest.approx(totals[1])
