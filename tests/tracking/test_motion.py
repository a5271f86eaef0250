import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from textures import window

from carcinosis_loc.tracking.assignment import assign
from carcinosis_loc.tracking.atlas import overlap
from carcinosis_loc.tracking.similarity import Similarity, fit_motion
from carcinosis_loc.tracking.view import View, motion_by_features, motion_by_flow


def test_a_similarity_turns_zooms_and_shifts():
    motion = Similarity(2j, 10 + 1j)  # a quarter turn, twice as large
    assert motion(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [[10, 3], [8, 1]]
    xy = np.array([[3.0, 4.0]])
    assert motion.inverse()(motion(xy)) == pytest.approx(xy)
    assert motion.after(Similarity(1, 5))(xy) == pytest.approx(motion(xy + np.array([5, 0])))


def test_a_motion_is_found_among_false_matches_and_not_among_too_few():
    random = np.random.default_rng(0)
    before = random.uniform(0, 200, (40, 2))
    true = Similarity(0.9 + 0.2j, 7 - 3j)
    after = true(before)
    after[:15] = random.uniform(0, 200, (15, 2))
    found = fit_motion(before, after, 1.0)
    assert found.whole(before[15:]) == pytest.approx(after[15:], abs=0.1)
    assert fit_motion(before[15:20], after[15:20], 1.0) is None
    assert fit_motion(before, random.uniform(0, 200, (40, 2)), 1.0) is None


def test_a_point_goes_with_those_around_it():
    """The left half moves by itself: what is there goes along, what is far away does not."""
    x, y = (axis.ravel().astype(float) for axis in np.meshgrid(np.arange(0, 400, 10), np.arange(0, 100, 10)))
    before = np.stack([x, y], axis=1)
    after = before + np.where(x < 60, 2.0, 0.0)[:, None]
    motion = fit_motion(before, after, 3.0)
    moved = motion(np.array([[20.0, 50.0], [350.0, 50.0]])) - [[20, 50], [350, 50]]
    assert moved[0] == pytest.approx([2, 2], abs=0.5)
    assert moved[1] == pytest.approx([0, 0], abs=0.5)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (9, -4), (40, 30)])
def test_a_shift_of_the_picture_is_found_both_ways(ground, dx, dy):
    before, now = View.of(window(ground, 100, 100)), View.of(window(ground, 100 + dx, 100 + dy))
    point = np.array([[90.0, 80.0]])
    found = [motion_by_features(before.features, now.features, now.tolerance_px)]
    if abs(dx) < 20:  # flow is for small steps
        found.append(motion_by_flow(before, now))
    for motion in found:
        assert motion(point) == pytest.approx(point - [dx, dy], abs=0.6)


def test_large_frames_are_looked_at_small_and_measured_in_their_own_pixels(ground):
    large = ground.repeat(4, 0).repeat(4, 1)
    before, now = View.of(large[:1200, :1600]), View.of(large[40:1240, 80:1680])
    assert max(before.grey.shape) == 400
    assert motion_by_flow(before, now)(np.array([[800.0, 600.0]])) == pytest.approx(np.array([[720, 560]]), abs=1)


def test_pictures_without_anything_in_them_are_blind(ground):
    for value in (0, 90, 255):
        view = View.of(np.full((80, 100, 3), value, np.uint8))
        assert view.blind
        assert len(view.features[0]) == 0
        assert motion_by_flow(view, View.of(window(ground, 0, 0))) is None
        assert motion_by_features(view.features, view.features, 1.0) is None


def test_overlap():
    assert overlap(Similarity(), (100, 100), (100, 100)) == 1
    assert overlap(Similarity(1, 500), (100, 100), (100, 100)) == 0
    assert overlap(Similarity(1, 50), (100, 100), (100, 100)) == pytest.approx(0.5, abs=0.1)


def slow_assign(predicted, seen, reach):
    """The least cost over all ways to pair or leave alone."""
    best = 0.0
    for n in range(1, min(len(predicted), len(seen)) + 1):
        for rows in itertools.combinations(range(len(predicted)), n):
            for columns in itertools.permutations(range(len(seen)), n):
                square = ((predicted[list(rows)] - seen[list(columns)]) ** 2).sum(1)
                if (square <= reach**2).all():
                    best = min(best, float((square - reach**2).sum()))
    return best


places = st.integers(0, 4).flatmap(lambda n: arrays(np.float64, (n, 2), elements=st.integers(0, 12).map(float)))


@settings(deadline=None, max_examples=60)
@given(places, places)
def test_assignment_is_the_cheapest(predicted, seen):
    pairs = assign(predicted, seen, 5.0)
    square = ((predicted[pairs[:, 0]] - seen[pairs[:, 1]]) ** 2).sum(1)
    assert (square <= 25).all()
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert float((square - 25).sum()) == pytest.approx(slow_assign(predicted, seen, 5.0), abs=1e-6)


def test_a_row_is_not_shifted_to_pair_one_more():
    """The first was missed and a new one stands at the other end: a maximum matching would move each by one."""
    predicted = np.array([[0.0, 0], [10, 0], [20, 0], [30, 0]])
    seen = np.array([[10.0, 0], [20, 0], [30, 0], [40, 0]])
    assert assign(predicted, seen, 11.0).tolist() == [[1, 0], [2, 1], [3, 2]]
