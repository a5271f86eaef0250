"""Missed, false and mislocated points of a frame."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_matching import RADII, frame_of, frames, peaks_at, peaks_of

from carcinosis_loc.metrics import per_image
from carcinosis_loc.metrics.mistakes import NEAR, mistakes

SQUARE = np.array([[40, 40], [60, 40], [60, 60], [40, 60]], np.float32)


def test_a_frame_by_hand():
    """One found, one 8 px off at a radius of 5 (so mislocated), one missed, one false, one in an ignore region."""
    peaks = peaks_at((0, 3, 0.9), (28, 0, 0.8), (100, 100, 0.7), (50, 50, 0.6))
    wrong = mistakes(peaks, frame_of([(0, 0), (20, 0), (80, 0)], [SQUARE]), 5.0)
    assert wrong.found.tolist() == [[0, 0]]
    assert wrong.mislocated.tolist() == [[1, 1]]
    assert wrong.missed.tolist() == [2]
    assert wrong.false.tolist() == [2]
    assert len(wrong) == 3


def test_a_perfect_frame_and_an_empty_one():
    assert len(mistakes(peaks_at((1, 1, 0.9)), frame_of([(1, 1)]), 5.0)) == 0
    assert len(mistakes(peaks_at(), frame_of([]), 5.0)) == 0


@settings(max_examples=60, deadline=None)
@given(peaks_of(), frames(), st.sampled_from(RADII))
def test_the_kinds_add_up_to_the_row_of_the_frame(peaks, frame, radius_px):
    wrong, row = mistakes(peaks, frame, radius_px), per_image(peaks, frame, radius_px, 0.0)
    assert len(wrong.found) == row.tp
    assert len(wrong.missed) + len(wrong.mislocated) == row.fn
    if not frame.ignore:
        assert len(wrong.false) + len(wrong.mislocated) == row.fp
    between = np.linalg.norm(
        peaks.xy[wrong.mislocated[:, 0]].astype(float) - frame.points.xy[wrong.mislocated[:, 1]].astype(float), axis=1
    )
    assert (between <= NEAR * radius_px).all()
    peaks_used = [*wrong.found[:, 0], *wrong.mislocated[:, 0], *wrong.false]
    points_used = [*wrong.found[:, 1], *wrong.mislocated[:, 1], *wrong.missed]
    assert len(set(peaks_used)) == len(peaks_used)
    assert sorted(points_used) == list(range(len(frame.points)))
