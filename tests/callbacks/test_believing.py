"""What a teacher believes of what is found: limits, bounds and alarms, in exact cases and as properties."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.callbacks import Teacher
from carcinosis_loc.callbacks.believing import (
    believed,
    count_places,
    floods,
    floods_by_another_rule,
    most_after,
    peaks_a_frame,
    told,
)
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Frame, Peaks, Points


def peaks(*scores):
    scores = np.array(sorted(scores, reverse=True), np.float32)
    return Peaks(np.stack([np.arange(len(scores)), scores], 1).astype(np.float32).reshape(-1, 2), scores)


def frame(image_id, labels, exhaustive=False):
    points = Points(np.zeros((labels, 2), np.float32))
    return Frame(image_id, "f.png", Path("f.png"), (48, 48), points, exhaustive=exhaustive)


FOUND = {1: peaks(0.9, 0.7, 0.3), 2: peaks(), 3: peaks(0.8, 0.2)}


def test_what_is_sure_is_believed_and_the_rest_left_out():
    known = believed(FOUND, 0.7)
    assert [len(known[one].sure) for one in FOUND] == [2, 0, 1]
    assert [len(known[one].unsure) for one in FOUND] == [1, 0, 1]
    assert count_places(believed(FOUND, np.inf)) == (0, 5)
    assert told(known, FOUND) == "1.0 points a frame added, 0.7 left out of the loss"


def test_of_too_many_the_best_are_believed_and_the_others_passed_over():
    known = believed(FOUND, 0.7, most=2)
    assert known[1].sure[:, 1].tolist() == [np.float32(0.9)]
    assert known[3].sure[:, 1].tolist() == [np.float32(0.8)]
    assert count_places(known) == (2, 2)  # 0.7 is neither
    assert told(known, FOUND).endswith(", 0.3 too many, passed over")
    assert count_places(believed(FOUND, 0.7, most=0)) == (0, 2)
    assert count_places(believed(FOUND, 0.7, most=3)) == (3, 2)


@given(
    st.lists(st.lists(st.floats(0, 1, width=32), max_size=5), min_size=1, max_size=4),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_a_bound_takes_away_from_what_is_believed_alone(scores, sure, most):
    found = {number: peaks(*of_frame) for number, of_frame in enumerate(scores)}
    free, bound = believed(found, sure), believed(found, sure, most)
    assert all(len(bound[one].unsure) == len(free[one].unsure) for one in found)
    n_free, n_bound = count_places(free)[0], count_places(bound)[0]
    assert n_bound == min(most, n_free)
    kept, all_sure = (sorted(score for one in found for score in known[one].sure[:, 1]) for known in (bound, free))
    assert kept == all_sure[n_free - n_bound :]


def test_what_may_be_believed_grows_with_what_was():
    frames = [frame(1, 5), frame(2, 5), frame(3, 90, exhaustive=True)]
    assert most_after({}, frames, 1.5) is None
    assert most_after(believed(FOUND, np.inf), frames, 1.5) is None  # all of it left out
    assert most_after(believed(FOUND, 0.7), frames, 1.5) == int(1.5 * 13) - 10
    assert most_after(believed(FOUND, 0.7), frames, 1.0) == 3


def test_alarms():
    assert peaks_a_frame(FOUND) == pytest.approx(5 / 3)
    assert peaks_a_frame({}) == 0
    assert floods(31.1, 10)
    assert not floods(31.0, 10)
    assert floods_by_another_rule(101, 10)
    assert not floods_by_another_rule(100, 10)
    assert not floods_by_another_rule(100, 0.9)  # nothing to compare with


@pytest.mark.parametrize("growth", [0.9, float("nan")])
def test_believing_cannot_shrink(growth):
    with pytest.raises(InputError, match="Teacher: growth must be at least 1"):
        Teacher(growth=growth)
