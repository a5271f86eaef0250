"""Estimates from sparse labels against the truth that they stand for, and the threshold chosen by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from carcinosis_loc.metrics import estimated_objects, recall_beyond_chance
from carcinosis_loc.metrics.curves import SCORE_EDGES, at_or_above, best_threshold, score_histogram
from carcinosis_loc.metrics.sparse import lee_liu


def world(random, n_objects=2000, n_background=3000, share=0.15, missed=0.1):
    """Scores of found objects and of background peaks; a random share of the objects is labelled."""
    seen = random.random(n_objects) > missed
    objects = random.beta(4, 3, n_objects).astype(np.float32)
    background = random.beta(1, 6, n_background).astype(np.float32)
    labelled = random.random(n_objects) < share
    found = score_histogram(objects, seen & labelled)
    predicted = score_histogram(objects, seen) + score_histogram(background, np.ones(n_background, bool))
    true = 2 * at_or_above(score_histogram(objects, seen)) / (at_or_above(predicted) + n_objects)
    return at_or_above(found) / labelled.sum(), predicted, int(labelled.sum()), true


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_labels_missing_at_random_tell_the_number_of_objects_and_the_best_threshold(seed):
    recall, predicted, n_labelled, true = world(np.random.default_rng(seed))
    n_objects = estimated_objects(recall, at_or_above(predicted), n_labelled)
    assert n_objects == pytest.approx(2000, rel=0.6)  # of 10,000 seeds the worst is off by 47 %
    _, threshold = best_threshold(lee_liu(recall * n_labelled, at_or_above(predicted), n_labelled), predicted)
    assert true[np.searchsorted(SCORE_EDGES, threshold)] > 0.85 * true.max()  # the worst: 0.90


def test_the_estimate_is_good_on_average():
    worlds = [world(np.random.default_rng(seed)) for seed in range(60)]
    estimates = [estimated_objects(recall, at_or_above(predicted), n) for recall, predicted, n, _ in worlds]
    assert np.mean(estimates) == pytest.approx(2000, rel=0.1)


def test_exactly_where_all_is_labelled_and_nothing_else_is_found():
    scores = np.linspace(0.3, 0.9, 40).astype(np.float32)
    counts = at_or_above(score_histogram(scores, np.ones(40, bool)))
    assert estimated_objects(counts / 40, counts, 40) == pytest.approx(40)


def test_where_the_conspicuous_are_labelled_the_estimate_is_too_low():
    """The assumption matters, and errs to the side that the docstring names."""
    random = np.random.default_rng(1)
    scores = np.sort(random.beta(4, 3, 1000).astype(np.float32))
    predicted = at_or_above(score_histogram(scores, np.ones(1000, bool)))
    found = at_or_above(score_histogram(scores, np.arange(1000) >= 850))
    assert estimated_objects(found / 150, predicted, 150) < 400


@pytest.mark.parametrize("n_found", [0, 1, 9])
def test_too_few_labels_say_nothing(n_found):
    scores = np.linspace(0.1, 0.9, 50).astype(np.float32)
    found = at_or_above(score_histogram(scores, np.arange(50) < n_found))
    assert estimated_objects(found / 12, at_or_above(score_histogram(scores, np.ones(50, bool))), 12) is None


def test_peaks_strewn_at_random_find_nothing_beyond_chance():
    """A network that has learnt nothing and floods its frames must not be taken for one that finds all."""
    random = np.random.default_rng(0)
    hits, side, radius_px = 0, 300, 6.0
    for _ in range(40):
        peaks, labels = random.uniform(0, side, (400, 2)), random.uniform(0, side, (5, 2))
        hits += int((cdist(labels, peaks).min(1) <= radius_px).sum())
    assert hits > 60  # of 200
    counts = np.array([hits]), np.array([40 * 400])
    recall = recall_beyond_chance(*counts, 200, 40 * side**2, radius_px)
    assert recall.item() < 0.08
    assert estimated_objects(recall, counts[1], 200) is None


def test_few_peaks_leave_recall_as_it_is():
    assert recall_beyond_chance(np.array([8]), np.array([8]), 10, 1e8, 6.0).item() == pytest.approx(0.8, abs=1e-4)
    assert recall_beyond_chance(np.array([0]), np.array([0]), 0, 0.0, 6.0).item() == 0
