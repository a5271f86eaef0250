"""The valley of the scores, on mixtures whose two hills are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from carcinosis_loc.metrics.curves import score_histogram
from carcinosis_loc.metrics.valley import find_knee, find_valley


def hills(seed, objects_at=1.0, background_at=-5.0, n_objects=800, n_background=2000):
    random = np.random.default_rng(seed)
    objects = expit(random.normal(objects_at, 0.8, n_objects)).astype(np.float32)
    background = expit(random.normal(background_at, 0.6, n_background)).astype(np.float32)
    return objects, background


def histograms(objects, background, labelled):
    everything = np.concatenate([objects, background])
    return score_histogram(objects, labelled), score_histogram(everything, np.ones(len(everything), bool))


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_it_lies_between_the_hills_and_random_labels_do_not_lean(seed):
    objects, background = hills(seed)
    labelled = np.random.default_rng(seed + 1).random(len(objects)) < 0.2
    valley = find_valley(*histograms(objects, background, labelled))
    assert -3 < logit(valley.threshold) < 0  # hills that stand apart: near the bottom between -5 and 1
    everything = np.concatenate([objects, background])
    wrong = (everything[len(objects) :] >= valley.threshold).sum() + (objects < valley.threshold).sum()
    assert wrong < 0.03 * len(objects)
    assert valley.depth < 0.3
    assert valley.lean == pytest.approx(1, abs=0.6)
    assert valley.n_labels == pytest.approx(labelled.sum(), abs=3)


def test_the_nearer_the_hills_the_farther_up_the_threshold():
    places = []
    for background_at in (-6.0, -3.0, -2.0):
        objects, background = hills(0, background_at=background_at)
        places.append(find_valley(*histograms(objects, background, objects > 0)).threshold)
        f1 = [f1_at(threshold, objects, background) for threshold in (places[-1], *np.linspace(0.01, 0.99, 99))]
        assert f1[0] > 0.97 * max(f1)
    assert places == sorted(places)


def f1_at(threshold, objects, background):
    found, false = (objects >= threshold).sum(), (background >= threshold).sum()
    return 2 * found / (found + false + len(objects))


def test_labels_on_the_conspicuous_lean():
    objects, background = hills(0)
    valley = find_valley(*histograms(objects, background, objects >= np.quantile(objects, 0.85)))
    assert valley.lean > 50


def test_one_hill_has_no_valley():
    random = np.random.default_rng(2)
    scores = expit(random.normal(-3, 1.2, 4000)).astype(np.float32)
    assert find_valley(*histograms(scores, scores[:0], scores > 0.2)) is None


def test_hills_that_overlap_have_none_either():
    objects, background = hills(3, objects_at=-3.2, background_at=-4.5, n_objects=500)
    assert find_valley(*histograms(objects, background, objects > 0.01)) is None


def test_a_handful_of_peaks_is_no_hill():
    objects, background = hills(4, n_objects=9)
    assert find_valley(*histograms(objects, background, objects > 0)) is None


def test_nothing_at_all():
    none = np.zeros(0, np.float32)
    assert find_valley(*histograms(none, none, none > 0)) is None
    certain = np.ones(50, np.float32)  # a score of 1 has no logit
    assert find_valley(*histograms(certain, none, certain > 0)) is None


def counted(scores):
    return score_histogram(scores, np.ones(len(scores), bool))


@given(st.integers(0, 1000), st.floats(-6, -3))
@settings(max_examples=30, deadline=None)
def test_the_knee_is_where_a_hill_runs_out_into_a_plateau(seed, mode):
    random = np.random.default_rng(seed)
    background = random.normal(mode, 0.6, 4000)
    objects = random.uniform(mode, 3, 1500)
    knee = find_knee(counted(expit(np.concatenate([background, objects])).astype(np.float32)))
    assert mode + 0.6 < logit(knee.threshold) < mode + 0.6 * 4


@pytest.mark.parametrize("fall", [1.0, 1.5, 2.5])
def test_the_knee_tells_how_steep_the_hill_was(fall):
    random = np.random.default_rng(0)
    background = random.exponential(1 / fall, 40000) - 5
    objects = random.uniform(-4, 4, 12000)
    knee = find_knee(counted(expit(np.concatenate([background, objects])).astype(np.float32)))
    assert 0.8 * fall < knee.steepness < 1.2 * fall


@pytest.mark.parametrize("spread", [0.4, 1.0, 1.5])
def test_one_hill_and_an_even_slope_have_no_knee(spread):
    knees = []  # chance makes one in some 200 draws of the widest hill
    for seed in range(100):
        random = np.random.default_rng(seed)
        knees.append(find_knee(counted(expit(random.normal(-3, spread, 4000)).astype(np.float32))))
        knees.append(find_knee(counted(expit(-4 + random.exponential(spread, 4000)).astype(np.float32))))
    assert sum(knee is not None for knee in knees) <= 2


@pytest.mark.parametrize("scores", [[], [0.0] * 50, [1.0] * 50, [0.3], [0.2] * 20 + [0.9] * 20])
def test_next_to_nothing_has_no_knee(scores):
    assert find_knee(counted(np.array(scores, np.float32))) is None
