"""Points a frame over time: exact small cases, and every window against a loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.report.burden import burden


def test_a_window_that_holds_everything_gives_mean_and_percentiles():
    curve = burden(np.array([0.0, 1.0, 2.0]), np.array([0, 3, 9]), 2.0, window_s=10)
    assert curve.mean == pytest.approx(np.full(240, 4.0))
    assert (curve.low[0], curve.high[0]) == pytest.approx((0.6, 7.8))


def test_where_no_frame_was_looked_at_there_is_no_figure():
    curve = burden(np.array([0.0, 100.0]), np.array([2, 4]), 100.0, window_s=10)
    assert curve.mean[0] == 2
    assert curve.mean[-1] == 4
    assert np.isnan(curve.mean[(curve.time_s > 5) & (curve.time_s < 95)]).all()


def test_a_single_frame_is_a_curve_too():
    curve = burden(np.array([0.0]), np.array([7]), 0.0, window_s=5)
    assert curve.mean.tolist() == curve.low.tolist() == curve.high.tolist() == [7.0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 60), st.integers(0, 40)), min_size=1, max_size=30),
    st.floats(0.5, 20),
)
def test_each_place_is_what_a_loop_finds(frames, window_s):
    frames = sorted(frames)
    time_s, counts = np.array([t for t, _ in frames]), np.array([n for _, n in frames])
    curve = burden(time_s, counts, 60.0, window_s)
    for place, middle in enumerate(curve.time_s):
        inside = [n for t, n in frames if middle - window_s / 2 <= t <= middle + window_s / 2]
        if inside:
            assert curve.mean[place] == pytest.approx(sum(inside) / len(inside))
            assert curve.low[place] <= curve.high[place]
            assert min(inside) <= curve.low[place]
            assert curve.high[place] <= max(inside)
        else:
            assert np.isnan(curve.mean[place])
