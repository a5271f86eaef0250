import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.writers.key_frames import MOST, Kept, Spread


def spread_over(counts):
    spread = Spread()
    for place, count in enumerate(counts):
        spread.offer(Kept(place, place + 1, f"f{place}", count, count * 0.5))
        assert len(spread.kept) <= 2 * MOST
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


@given(st.lists(st.integers(0, 9), min_size=2, max_size=120), st.data())
def test_going_on_from_plain_values_gives_the_same(counts, data):
    cut = data.draw(st.integers(1, len(counts) - 1))
    first = spread_over(counts[:cut])
    plain = json.loads(json.dumps([first.length, first.count, [[key, *one] for key, one in first.kept.items()]]))
    again = Spread(plain[0], plain[1], {key: Kept(*one) for key, *one in plain[2]})
    for place, count in enumerate(counts[cut:], cut):
        again.offer(Kept(place, place + 1, f"f{place}", count, count * 0.5))
    assert again.best() == spread_over(counts).best()
