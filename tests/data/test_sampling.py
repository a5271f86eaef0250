from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.data.dataset import DUMMY
from carcinosis_loc.data.sampling import EvaluationBatches, TrainSampler

SIZES = st.lists(st.sampled_from([(4, 4), (4, 6), (8, 2)]), min_size=1, max_size=20)


@given(SIZES, st.integers(1, 5), st.sampled_from([1, 2, 3]))
def test_evaluation_visits_every_frame_once_over_all_ranks(sizes, batch_size, world_size):
    ranks = [list(EvaluationBatches(sizes, batch_size, rank, world_size)) for rank in range(world_size)]
    real = [[batch for batch in batches if batch != [DUMMY]] for batches in ranks]
    assert sorted(index for batches in real for batch in batches for index in batch) == list(range(len(sizes)))
    for batches in real:
        for batch in batches:
            assert 1 <= len(batch) <= batch_size
            assert len({sizes[index] for index in batch}) == 1
    counts = [sum(map(len, batches)) for batches in real]
    assert max(counts) - min(counts) <= 1
    for batches, all_batches in zip(real, ranks, strict=True):
        assert len(all_batches) == max(1, len(batches))  # a dummy where there is nothing, and only there


def test_evaluation_of_one_size_keeps_the_order():
    assert list(EvaluationBatches([(4, 4)] * 5, 2)) == [[0, 1], [2, 3], [4]]
    assert list(EvaluationBatches([(4, 4), (6, 6), (4, 4)], 8)) == [[0, 2], [1]]
    assert [list(EvaluationBatches([(4, 4)], 8, rank, 3)) for rank in range(3)] == [[[0]], [[DUMMY]], [[DUMMY]]]


def test_evaluation_is_the_same_each_time():
    batches = EvaluationBatches([(4, 4), (6, 6), (4, 4)], 1)
    assert list(batches) == list(batches)
    assert len(batches) == 3


@given(
    st.integers(1, 12),
    st.sampled_from([1, 2, 3]),
    st.none() | st.integers(1, 40),
    st.integers(-5, 5),
    st.integers(0, 3),
)
def test_training_shares(n, world_size, samples_per_epoch, seed, epoch):
    ids = [100 + index for index in range(n)]
    shares = []
    for rank in range(world_size):
        sampler = TrainSampler(ids, seed, samples_per_epoch, rank, world_size)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
    assert len({len(share) for share in shares}) == 1
    drawn = [pair for share in shares for pair in share]
    assert 0 <= len(drawn) - (samples_per_epoch or n) < world_size
    assert len(set(drawn)) == len(drawn)  # a frame that comes again is augmented differently
    counts = Counter(index for index, _ in drawn)
    assert max(counts.values()) - min(counts[index] for index in range(n)) <= 1


def test_the_union_over_ranks_does_not_depend_on_their_number():
    ids = list(range(12))
    alone = set(TrainSampler(ids, seed=5))
    for world_size in (2, 3):
        shares = [set(TrainSampler(ids, 5, None, rank, world_size)) for rank in range(world_size)]
        assert set.union(*shares) == alone


def test_streams_come_from_seed_epoch_and_image_id():
    def streams(ids, seed, epoch):
        sampler = TrainSampler(ids, seed)
        sampler.set_epoch(epoch)
        return {ids[index]: stream for index, stream in sampler}

    base = streams([7, 8, 9], 0, 0)
    assert streams([9, 7, 8, 10], 0, 0).items() >= base.items()  # whatever the order and company
    others = [base, streams([7, 8, 9], 1, 0), streams([7, 8, 9], 0, 1)]
    assert len({stream for one in others for stream in one.values()}) == 9


def test_epochs_are_shuffled_differently():
    sampler = TrainSampler(range(50))
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append([index for index, _ in sampler])
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] != orders[1] != orders[2]
    sampler.set_epoch(0)
    assert [index for index, _ in sampler] == orders[0]


@given(st.integers(1, 8), st.integers(1, 8), st.sampled_from([0.2, 0.5, 0.9]), st.integers(0, 3))
def test_frames_that_are_drawn_often(n_often, n_others, share, epoch):
    often = set(range(0, 2 * n_often, 2))
    ids = range(max(often) + 1 + n_others)
    samplers = [TrainSampler(ids, 3, 400, rank, 2, often=sorted(often), often_share=share) for rank in range(2)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    shares = [list(sampler) for sampler in samplers]
    drawn = [pair for share in shares for pair in share]
    assert len(drawn) == len(set(drawn)) == 400  # also a frame that comes a hundred times is augmented each time anew
    counts = Counter(index for index, _ in drawn)
    for kind in (often, set(ids) - often):  # either comes in whole rounds
        assert max(counts[index] for index in kind) - min(counts[index] for index in kind) <= 1
    assert abs(sum(counts[index] for index in often) / 400 - share) < 0.12  # five standard deviations at 0.5
    for share_of_rank in shares:
        assert 0 < sum(index in often for index, _ in share_of_rank) < 200  # no rank has one kind alone


def test_a_share_of_nothing_changes_nothing():
    plain = list(TrainSampler(range(6), 1, 20))
    assert list(TrainSampler(range(6), 1, 20, often=[2], often_share=0.0)) == plain
    assert list(TrainSampler(range(6), 1, 20, often=[], often_share=0.5)) == plain
    assert list(TrainSampler(range(6), 1, 20, often=range(6), often_share=0.5)) == plain


@pytest.mark.parametrize("samples_per_epoch", [3, 25])
def test_an_epoch_of_another_length(samples_per_epoch):
    drawn = [index for index, _ in TrainSampler(range(10), 0, samples_per_epoch)]
    assert len(drawn) == samples_per_epoch
    for start in range(0, samples_per_epoch, 10):
        block = list(islice(drawn, start, start + 10))
        assert len(set(block)) == len(block)  # whole rounds before the next
