"""How sure a threshold is: what other frames would have given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.metrics.labelled_frames import LabelledFrames
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.metrics.sureness import Sureness, chosen_anew
from carcinosis_loc.metrics.threshold_rules import Chosen


def frames_of(*rows_of_each, labels=1):
    """Frames of rows ``(bin, predicted, found)``."""
    sizes = np.array([(len(rows), labels) for rows in rows_of_each], np.int64).reshape(-1, 2)
    rows = np.array([row for rows in rows_of_each for row in rows], np.int64).reshape(-1, 3)
    return LabelledFrames.read(sizes, rows)


def contents(frames):
    """Each frame's labels and rows."""
    rows = np.stack([frames.bin, frames.predicted, frames.found], axis=1)
    return [(int(n), rows[frames.frame == place].tolist()) for place, n in enumerate(frames.n_labelled)]


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3), st.integers(0, 1)), max_size=4), max_size=6))
def test_a_draw_holds_whole_frames_and_as_many(rows):
    frames = frames_of(*rows)
    drawn = contents(frames.drawn(np.random.default_rng(0)))
    assert len(drawn) == len(rows)
    assert all(one in contents(frames) for one in drawn)


def test_histograms_are_sums_over_frames():
    found, predicted = frames_of([(3, 2, 1), (5, 1, 0)], [(3, 1, 1)]).histograms()
    assert (found[3], found[5], predicted[3], predicted[5]) == (2, 0, 3, 1)
    assert (found.sum(), predicted.sum()) == (2, 4)


def by_the_mean(frames):
    return Chosen(float(frames.bin.mean()) / 100, "mean", ScoreScale(1.0, 0.0))


def test_frames_that_are_alike_leave_no_doubt():
    _, sureness = chosen_anew("mean", by_the_mean, frames_of(*[[(40, 1, 1)]] * 5), 20)
    assert sureness == Sureness(0.4, 0.4, 1.0)
    assert sureness.sure
    assert str(sureness) == "0.400 to 0.400 in nine of ten draws of these frames"


def test_the_interval_is_that_of_the_mean():
    values = np.random.default_rng(1).integers(0, 100, 400)
    _, sureness = chosen_anew("mean", by_the_mean, frames_of(*[[(int(value), 1, 1)] for value in values]), 200)
    error = values.std() / 100 / 400**0.5
    assert (sureness.low, sureness.high) == pytest.approx(
        values.mean() / 100 + 1.645 * error * np.array([-1, 1]), abs=0.004
    )


def test_a_rule_that_hangs_on_one_frame_is_not_sure():
    def by_one_frame(frames):
        seen = (frames.bin == 90).any()  # in 65 of 100 draws, 1 - 0.9^10
        return Chosen(0.9 if seen else 0.1, "seen" if seen else "unseen", ScoreScale(1.0, 0.0))

    _, sureness = chosen_anew("seen", by_one_frame, frames_of([(90, 1, 1)], *[[(40, 1, 1)]] * 9), 200)
    assert sureness.same_rule == pytest.approx(1 - 0.9**10, abs=0.1)
    assert not sureness.sure
    assert f"not sure (the same rule in {sureness.same_rule:.0%})" in str(sureness)
    assert "carcloc audit" in str(sureness)


def test_one_frame_or_nothing_chosen_tells_nothing():
    assert chosen_anew("mean", by_the_mean, frames_of([(40, 1, 1)]), 20) is None
    assert chosen_anew("mean", lambda frames: None, frames_of([(40, 1, 1)], [(40, 1, 1)]), 20) is None


def test_draws_without_an_answer_count_against_the_rule():
    answers = iter([None, by_the_mean, by_the_mean, None])

    def choose(frames):
        one = next(answers)
        return one and one(frames)

    assert chosen_anew("mean", choose, frames_of([(40, 1, 1)], [(40, 1, 1)]), 4)[1] == Sureness(0.4, 0.4, 0.5)


def test_the_threshold_is_the_mean_in_logit():
    values = iter([0.2, 0.8, 0.5, 0.9])
    mean, _ = chosen_anew(
        "any",
        lambda frames: Chosen(next(values), "any", ScoreScale(1.0, 0.0)),
        frames_of([(40, 1, 1)], [(41, 1, 1)]),
        4,
    )
    assert mean.threshold == pytest.approx(1 / (1 + 9**-0.25))  # odds of 1/4, 4, 1 and 9


def test_scores_read_as_probabilities_in_the_mean_of_the_draws():
    """A curve that crosses a half at a logit of 0 and one that does at 2, half as steep: in the mean at 1."""
    scales = iter([ScoreScale(2.0, 0.0), ScoreScale(1.0, -2.0)])
    frames = frames_of([(40, 1, 1)], [(41, 1, 1)])
    mean, _ = chosen_anew("any", lambda frames: Chosen(0.5, "any", next(scales)), frames, 2)
    assert mean.scale == pytest.approx(
        ScoreScale(4 / 3, -4 / 3)
    )  # a quarter and three quarters lie 2 log 3 / slope apart
    assert mean.scale.probability(1 / (1 + np.exp(-1.0))) == pytest.approx(0.5)


def test_draws_that_agree_on_the_scale_keep_it():
    frames, scale = frames_of([(40, 1, 1)], [(41, 1, 1)]), ScoreScale(2.5, -3.0)
    mean, _ = chosen_anew("any", lambda frames: Chosen(0.5, "any", scale), frames, 5)
    assert mean.scale == pytest.approx(scale)


@pytest.mark.parametrize(("peaks", "draws"), [(1, 20), (100_000, 10), (900_000, 5)])
def test_many_peaks_are_drawn_less_often(peaks, draws):
    asked = []

    def choose(frames):
        asked.append(frames)
        return by_the_mean(frames)

    chosen_anew("mean", choose, frames_of([(40, peaks, 1)], [(40, peaks, 1)]), 20)
    assert len(asked) == draws
