import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.metrics import IdentityScores, Sightings, identity_scores


def sightings(rows):
    """Out of (frame, track, x) triples."""
    table = np.array(rows, float).reshape(-1, 3)
    xy = np.stack([table[:, 2], np.zeros(len(table))], axis=1)
    return Sightings(table[:, 0].astype(int), table[:, 1].astype(int), xy)


TRUTH = sightings([(frame, track, 10 * track) for frame in range(4) for track in (1, 2)])


def test_perfect_ids_whatever_their_names():
    found = identity_scores(Sightings(TRUTH.frame, 100 - TRUTH.track_id, TRUTH.xy), TRUTH, 2)
    assert found == IdentityScores(8, 8, 8, 2, 2, 0)
    assert found.idf1 == 1


def test_a_broken_track_loses_its_shorter_part():
    broken = np.where((TRUTH.track_id == 1) & (TRUTH.frame == 3), 9, TRUTH.track_id)
    found = identity_scores(Sightings(TRUTH.frame, broken, TRUTH.xy), TRUTH, 2)
    assert (found.n_agreed, found.idf1) == (7, 7 / 8)
    assert (found.unique_predicted, found.count_error, found.relative_count_error) == (3, 1, 0.5)
    assert identity_scores(Sightings(TRUTH.frame, broken, TRUTH.xy), TRUTH, 2, min_sightings=2).count_error == 0


def test_ids_that_change_over_agree_half():
    swapped = np.where(TRUTH.frame < 2, TRUTH.track_id, 3 - TRUTH.track_id)
    assert identity_scores(Sightings(TRUTH.frame, swapped, TRUTH.xy), TRUTH, 2).idf1 == 0.5


def test_frame_by_frame_has_one_sighting_right_a_track():
    each = Sightings(TRUTH.frame, np.arange(8), TRUTH.xy)
    assert identity_scores(each, TRUTH, 2) == IdentityScores(2, 8, 8, 8, 2, 6)


def test_a_distance_equal_to_the_radius_is_within():
    near, far = (Sightings(TRUTH.frame, TRUTH.track_id, TRUTH.xy + np.array([shift, 0])) for shift in (2, 2.01))
    assert identity_scores(near, TRUTH, 2).idf1 == 1
    assert identity_scores(far, TRUTH, 2).idf1 == 0


def test_nothing_at_all():
    none = sightings([])
    assert identity_scores(none, none, 2).idf1 == 0
    assert identity_scores(none, TRUTH, 2) == IdentityScores(0, 0, 8, 0, 2, 2)
    assert identity_scores(TRUTH, none, 2) == IdentityScores(0, 8, 0, 2, 0, 2)


def test_errors_of_videos_do_not_cancel():
    more, fewer = IdentityScores(1, 2, 3, 5, 4, 1), IdentityScores(1, 2, 3, 3, 4, 1)
    assert more + fewer == IdentityScores(2, 4, 6, 8, 8, 2)


def test_a_track_that_is_twice_in_a_frame_is_refused():
    with pytest.raises(ValueError, match="track_id 1 is twice in frame 0"):
        sightings([(0, 1, 0), (0, 1, 5)])


def slow_agreed(predicted, truth, radius):
    """Over all ways to pair tracks, the most frames in which both are near."""

    def near(key, true_key):
        count = 0
        for frame in range(4):
            here = predicted.xy[(predicted.frame == frame) & (predicted.track_id == key)]
            there = truth.xy[(truth.frame == frame) & (truth.track_id == true_key)]
            count += len(here) > 0 and len(there) > 0 and float(np.hypot(*(here[0] - there[0]))) <= radius
        return count

    keys, true_keys = sorted(set(predicted.track_id.tolist())), sorted(set(truth.track_id.tolist()))
    both = {(key, true_key): near(key, true_key) for key in keys for true_key in true_keys}
    padded = true_keys + [-1] * len(keys)
    ways = itertools.permutations(padded, len(keys))
    return max(sum(both.get(pair, 0) for pair in zip(keys, way, strict=True)) for way in ways)


tables = st.dictionaries(st.tuples(st.integers(0, 3), st.integers(1, 3)), st.integers(0, 6), max_size=8).map(
    lambda found: sightings([(frame, track, x) for (frame, track), x in found.items()])
)


@settings(deadline=None, max_examples=50)
@given(tables, tables)
def test_as_many_agree_as_in_the_slow_reference(predicted, truth):
    found = identity_scores(predicted, truth, 1.0)
    assert found.n_agreed == slow_agreed(predicted, truth, 1.0)
    assert 0 <= found.idf1 <= 1
