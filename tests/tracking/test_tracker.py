import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textures import peaks, seen, texture, window

from carcinosis_loc.tracking import PointTracker, Track, count_unique

BLACK = np.zeros((160, 200, 3), np.uint8)
GROUND = texture()
POINTS = np.stack(np.meshgrid(np.arange(20, 460, 40), np.arange(20, 350, 40)), axis=2).reshape(-1, 2)


def film(tracker, ground, path, first=0):
    """Show the window at each place of the path; ids by point."""
    ids = {}
    for frame, (x, y) in enumerate(path, first):
        numbers, xy = seen(POINTS, x, y)
        for number, key in zip(
            numbers, tracker.update(window(ground, x, y), peaks(xy), frame, frame / 10), strict=True
        ):
            ids.setdefault(int(number), []).append(int(key))
    return ids


def test_a_still_point_is_one_track():
    tracker = PointTracker()
    for frame in range(4):
        assert tracker.update(BLACK, peaks([[50, 60]]), frame, frame / 2).tolist() == [1]
    assert tracker.tracks() == [Track(1, 0, 3, 0.0, 1.5, 4, pytest.approx(0.9), 4)]
    assert count_unique(tracker.tracks()) == 1


def test_a_point_farther_than_the_distance_is_another():
    tracker = PointTracker(max_distance_px=5)
    tracker.update(BLACK, peaks([[50, 60]]), 0, 0)
    assert tracker.update(BLACK, peaks([[55, 60], [56, 80]]), 1, 1).tolist() == [1, 2]
    assert tracker.update(BLACK, peaks([[70, 60]]), 2, 2).tolist() == [3]


def test_a_missed_point_is_kept_for_a_gap_and_then_over():
    for gap, expected in ((2, 1), (3, 2)):
        tracker = PointTracker(max_gap=2)
        tracker.update(BLACK, peaks([[50, 60]]), 0, 0)
        for frame in range(1, 1 + gap):
            tracker.update(BLACK, peaks([]), frame, frame)
        assert tracker.update(BLACK, peaks([[50, 60]]), 9, 9).tolist() == [expected]


def test_nothing_to_see_and_one_frame():
    tracker = PointTracker()
    assert tracker.tracks() == []
    assert tracker.update(BLACK, peaks([]), 0, 0).shape == (0,)
    assert tracker.update(BLACK, peaks([[1, 1], [90, 90]]), 1, 0.1).tolist() == [1, 2]
    assert count_unique(tracker.tracks()) == 0
    assert count_unique(tracker.tracks(), min_sightings=1) == 2


@settings(max_examples=12, deadline=None)
@given(st.integers(-60, 60), st.integers(-45, 45))
def test_points_that_move_with_the_picture_keep_their_ids(dx, dy):
    """Up to a third of the frame at once: without the motion every point would be beyond the distance."""
    start = (140, 100)
    ids = film(PointTracker(), GROUND, [start, (start[0] + dx, start[1] + dy)])
    assert all(len(set(keys)) == 1 for keys in ids.values())
    assert len({keys[0] for keys in ids.values()}) == len(ids)


def test_a_camera_that_comes_back_counts_nothing_twice(ground):
    out = [(x, 20) for x in range(0, 280, 20)]
    path = [(0, 20)] * 3 + out + [(x, 170) for x in range(280, 0, -20)] + [(0, y) for y in range(170, 19, -15)]
    path += [(0, 20)] * 3
    tracker = PointTracker()
    ids = film(tracker, ground, path)
    settled = {number: set(tracker.settle(np.array(keys)).tolist()) for number, keys in ids.items()}
    assert all(len(keys) == 1 for keys in settled.values())
    assert len(tracker.tracks()) == len(ids)
    assert count_unique(tracker.tracks()) == sum(len(keys) >= 3 for keys in ids.values())


def test_after_a_dark_time_the_place_is_known_again(ground):
    tracker = PointTracker(max_gap=2)
    first = film(tracker, ground, [(0, 0)] * 4)
    for frame in range(4, 14):
        tracker.update(BLACK, peaks([]), frame, frame / 10)
    assert film(tracker, ground, [(8, 5)], first=14).items() <= {n: keys[:1] for n, keys in first.items()}.items()


def test_after_a_cut_elsewhere_the_same_place_in_the_frame_is_no_link(ground):
    tracker = PointTracker()
    tracker.update(window(ground, 0, 0), peaks([[50, 60]]), 0, 0)
    other = texture(seed=9)
    assert tracker.update(window(other, 0, 0), peaks([[50, 60]]), 1, 0.1).tolist() == [2]


def test_tracks_made_while_lost_are_joined_once_the_place_is_known(ground):
    """A cut to a place between two that were seen: its map is joined to theirs as soon as the camera meets it."""
    tracker = PointTracker()
    film(tracker, ground, [(0, 0)] * 4)
    film(tracker, ground, [(280, 200)] * 3, first=4)
    assert len({key_frame.map_number for key_frame in tracker.atlas.key_frames.values()}) == 2
    ids = film(tracker, ground, [(280 - 20 * i, 200 - 14 * i) for i in range(1, 15)], first=7)
    assert len({key_frame.map_number for key_frame in tracker.atlas.key_frames.values()}) == 1
    settled = {number: set(tracker.settle(np.array(keys)).tolist()) for number, keys in ids.items()}
    assert all(len(keys) == 1 for keys in settled.values())
    assert tracker.settle(np.array([1, 1])).tolist() == [1, 1]
    assert {track.track_id for track in tracker.tracks()} == {key for keys in settled.values() for key in keys} | {
        track.track_id for track in tracker.tracks() if track.last_frame < 7
    }


def test_a_change_of_size_is_a_zoom(ground):
    """The same view at half the size: ids stay, at half the coordinates."""
    tracker = PointTracker(max_distance_px=5)
    numbers, xy = seen(POINTS, 100, 80)
    view = window(ground, 100, 80)
    before = tracker.update(view, peaks(xy), 0, 0)
    small = view.reshape(80, 2, 100, 2, 3).mean((1, 3)).astype(np.uint8)
    assert len(numbers) > 10
    assert tracker.update(small, peaks((xy + 0.5) / 2 - 0.5), 1, 0.1).tolist() == before.tolist()


def test_going_on_from_a_state_is_going_on(ground):
    path = [(x, x // 2) for x in range(0, 240, 15)] + [(x, x // 2) for x in range(240, 0, -15)]
    whole, first, second = PointTracker(), PointTracker(), PointTracker(max_gap=99, max_remembered=1)
    expected = film(whole, ground, path)
    ids = film(first, ground, path[:20])
    state = json.loads(json.dumps(first.state()))
    second.restore(state)
    assert second.state() == first.state() == state
    for number, keys in film(second, ground, path[20:], first=20).items():
        ids.setdefault(number, []).extend(keys)
    assert ids == expected
    assert second.state() == whole.state()
    assert second.tracks() == whole.tracks()


def test_memory_is_bounded(ground):
    tracker = PointTracker(max_remembered=20, max_key_frames=3, max_gap=1)
    path = [(x, y) for y in (0, 100, 200) for x in range(0, 281, 20)]
    film(tracker, ground, path)
    state = tracker.state()
    assert len(state["followed"]) <= 20
    assert len(state["atlas"]["key_frames"]) <= 3


@pytest.mark.parametrize("bad", [{"max_distance_px": 0}, {"max_distance_px": float("nan")}, {"max_gap": 0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ValueError, match="positive"):
        PointTracker(**bad)


@pytest.mark.parametrize("image", [BLACK[..., 0], BLACK.astype(np.float32), BLACK[:0]])
def test_an_image_that_is_none_is_refused(image):
    with pytest.raises(ValueError, match="a frame must be"):
        PointTracker().update(image, peaks([]), 0, 0)


def test_a_track_that_flickers_in_view_is_not_counted():
    """Of two places in the same lit view one is found in six frames of six, the other in three."""
    tracker = PointTracker()
    view = window(GROUND, 0, 0)
    for frame in range(6):
        tracker.update(view, peaks([[50, 60], [120, 60]] if frame % 2 == 0 else [[50, 60]]), frame, frame / 10)
    assert [(track.n_sightings, track.n_in_view) for track in tracker.tracks()] == [(6, 6), (3, 6)]
    assert count_unique(tracker.tracks()) == 1
    assert count_unique(tracker.tracks(), min_seen_share=0.5) == 2
    assert count_unique(tracker.tracks(), min_seen_share=0) == 2


def test_a_place_out_of_view_or_in_the_dark_is_not_missed():
    tracker = PointTracker()
    for frame in range(3):
        tracker.update(window(GROUND, 0, 0), peaks([[5, 60]]), frame, frame / 10)
    for frame in (3, 4):
        tracker.update(BLACK, peaks([]), frame, frame / 10)
    for frame in (5, 6):
        tracker.update(window(GROUND, 20, 0), peaks([]), frame, frame / 10)
    assert [(track.n_sightings, track.n_in_view) for track in tracker.tracks()] == [(3, 3)]
