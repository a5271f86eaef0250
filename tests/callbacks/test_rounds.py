"""When a teacher teaches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.callbacks.rounds import Rounds
from carcinosis_loc.errors import InputError

USUAL = Rounds(start=0.3, rounds=5, believe_from=0.5, generations=1)


def held(when, max_epochs, every=1, generation=0):
    """The epochs of a generation after which a round is held, and whether it labels."""
    size, seen, rounds = max_epochs // when.generations, 0, []
    for epochs in range(every, size + 1, every):
        due = when.due(when.share(generation * size + epochs, max_epochs, generation), generation)
        if due > seen:
            rounds.append((epochs, when.believe(due, generation)))
            seen = due
    return rounds


def test_rounds_are_spread_over_the_epochs_from_the_start_on():
    assert held(USUAL, 10) == [(3, False), (5, False), (6, True), (8, True), (9, True)]


def test_few_validations_hold_fewer_rounds_and_label_as_late():
    assert held(USUAL, 4) == [(2, False), (3, True)]
    assert held(USUAL, 24, every=6) == [(12, False), (18, True)]


def test_the_end_of_a_network_teaches_the_next_and_the_last_nobody():
    three = Rounds(start=0.5, rounds=1, believe_from=1.0, generations=3)
    assert held(three, 12) == [(2, False), (4, True)]
    assert held(three, 12, generation=2) == [(2, True)]


@pytest.mark.parametrize(
    ("when", "epochs", "every", "said"),
    [
        (USUAL, 1, 1, "teach nothing"),
        (USUAL, 24, 24, "teach nothing"),
        (USUAL, 2, 1, "only leave out"),
        (Rounds(0.3, 5, 1.0, 1), 24, 1, "only leave out"),
        (USUAL, 3, 1, None),
        (Rounds(0.3, 5, 0.5, 3), 72, 1, None),
    ],
)
def test_what_a_run_of_this_length_means(when, epochs, every, said):
    told = when.check(epochs, every)
    assert (told is None) if said is None else said in told


@given(
    st.builds(Rounds, st.floats(0, 1), st.integers(1, 9), st.floats(0, 1), st.integers(1, 4)),
    st.integers(1, 60),
)
def test_what_is_said_is_what_comes(when, size):
    epochs = size * when.generations
    rounds = [one for generation in range(when.generations) for one in held(when, epochs, 1, generation)]
    told = when.check(epochs, 1)
    assert (told is None) == any(labels for _, labels in rounds)
    assert (told is not None and "nothing" in told) == (not rounds)


@pytest.mark.parametrize(
    ("epochs", "words"), [(None, "set trainer.max_epochs"), (-1, "set"), (16, "such as 18, not 16")]
)
def test_lengths_that_do_not_fit_are_refused(epochs, words):
    with pytest.raises(InputError, match=words):
        Rounds(0.3, 5, 0.5, 3).check(epochs, 1)
