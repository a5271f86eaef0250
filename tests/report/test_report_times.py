"""Times as people write them, with as many decimals as tell frames apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.report.times import clock, decimals_between, parsed


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), (" 90.5 ", 90.5), ("1:30", 90), ("0:01:30.25", 90.25), ("2:00:00", 7200)]
)
def test_times_are_seconds_or_clocks(text, seconds):
    assert parsed(text) == seconds


def test_times_without_sense_are_large_numbers():
    assert parsed("9" * 400) == parsed("9" * 400 + ":00:00") == float("inf")


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:60:00", "nan", "1e3", "a", "1:2:3:4", "1,5"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        parsed(text)


@given(st.integers(0, 10**8), st.integers(0, 2))
def test_a_clock_reads_back(steps, decimals):
    seconds = steps / 10**decimals
    assert parsed(clock(seconds, decimals)) == seconds


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (59.99, 0, "00:59"),
        (59.99, 1, "00:59.9"),  # cut: who seeks to it finds the frame after it
        (0.3, 1, "00:00.3"),
        (3725.04, 2, "1:02:05.04"),
        (19.9, 1, "00:19.9"),
    ],
)
def test_times_are_cut_and_not_rounded(seconds, decimals, text):
    assert clock(seconds, decimals) == text


@pytest.mark.parametrize(
    ("step_s", "decimals"), [(10, 0), (1, 0), (0.5, 1), (0.1, 1), (0.04, 2), (1 / 60, 2), (0.001, 2)]
)
def test_decimals_tell_frames_apart(step_s, decimals):
    time_s = np.arange(50) * step_s
    assert decimals_between(time_s) == decimals
    if step_s >= 0.01:
        assert len({clock(one, decimals) for one in time_s}) == 50


def test_a_single_frame_needs_no_decimals():
    assert decimals_between(np.array([3.2])) == 0
