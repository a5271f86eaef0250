"""What is kept of a sequence: spread over it, few, the best, and not the same view again."""

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.writers.choosing import MOST, POOL, Kept, Spread, Steadiness


def kept(place, count):
    return Kept(place, place + 1, f"f{place}", count, count * 0.5, tracks=[])


def spread_over(counts):
    spread = Spread()
    for place, count in enumerate(counts):
        spread.offer(kept(place, count))
        assert len(spread.kept) <= POOL
    return spread


@given(st.lists(st.integers(0, 9), min_size=1, max_size=400))
def test_key_frames_are_few_in_order_and_the_best_is_among_them(counts):
    best = spread_over(counts).best()
    assert 1 <= len(best) <= MOST
    places = [one.place for one in best]
    assert places == sorted(set(places))
    assert max(counts) in [one.n_points for one in best]
    assert all(one.n_points for one in best) or not any(counts)


def test_they_are_spread_over_the_whole():
    best = spread_over([1 + (place % 7 == 3) for place in range(1000)]).best()
    assert all(one.n_points == 2 for one in best)
    assert len(best) >= 6
    gaps = [b.place - a.place for a, b in pairwise(best)]
    assert min(gaps) > 40
    assert best[0].place < 130
    assert best[-1].place > 870


def test_where_the_camera_comes_back_another_frame_is_chosen():
    """Every second frame shows the same five nodules; those between show three, each time others."""
    spread = Spread()
    for place in range(POOL):
        tracks = range(5) if place % 2 == 0 else range(10 * place, 10 * place + 3)
        spread.offer(Kept(place, place + 1, f"f{place}", len(tracks), len(tracks), len(tracks), 1.0, list(tracks)))
    assert [one.place for one in spread.best()] == [0, *range(5, POOL, 4)]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=120), st.data())
def test_going_on_from_plain_values_gives_the_same(counts, data):
    cut = data.draw(st.integers(1, len(counts) - 1))
    first = spread_over(counts[:cut])
    plain = json.loads(json.dumps([first.length, first.count, [[key, *one] for key, one in first.kept.items()]]))
    again = Spread(plain[0], plain[1], {key: Kept(*one) for key, *one in plain[2]})
    for place, count in enumerate(counts[cut:], cut):
        again.offer(kept(place, count))
    assert again.best() == spread_over(counts).best()


@given(st.lists(st.lists(st.integers(1, 5), unique=True), min_size=1, max_size=30), st.integers(0, 29))
def test_a_point_stays_if_it_was_seen_in_three_of_the_last_ten_frames(frames, cut):
    steadiness = Steadiness()
    for number, ids in enumerate(frames):
        if number == cut:  # going on from plain values
            steadiness = Steadiness(json.loads(json.dumps(steadiness.recent)))
        last_ten = frames[max(0, number - 9) : number + 1]
        wanted = [sum(track in seen for seen in last_ten) >= 3 for track in ids]
        assert steadiness.of(np.array(ids, np.int64)).tolist() == wanted
        assert len(steadiness.recent) <= 10
