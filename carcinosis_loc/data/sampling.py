"""Which process sees which frame, and when. Nothing here depends on the number of workers."""

from collections.abc import Iterator, Sequence
from itertools import count, islice

import numpy as np
from torch.utils.data import Sampler

from carcinosis_loc.data.dataset import DUMMY
from carcinosis_loc.points import Size


class TrainSampler(Sampler[tuple[int, int]]):
    """Shuffled ``(index, seed)`` pairs of an epoch; ``seed`` stands for (seed, epoch, image id, repetition).

    The order comes from (seed, epoch), and so does the share of each process. Every process gets the same number:
    where the samples do not divide evenly, the first of the epoch's order are repeated (with another seed), so
    that none is dropped.

    Args:
        image_ids: ids of the frames, by index.
        seed: base of all randomness.
        samples_per_epoch: samples of an epoch over all processes; None means as many as there are frames. More than
            there are frames repeats them, always whole rounds before the next.
        rank: this process.
        world_size: number of processes.
        often: indices of frames that are drawn more often than others.
        often_share: chance of a sample to be one of these, below 1; the others share the rest. Either kind comes in
            rounds of its own.

    Attributes:
        skip: samples of this process that the next iteration, and it alone, passes over: a resumed run had them.
    """

    def __init__(
        self,
        image_ids: Sequence[int],
        seed: int = 0,
        samples_per_epoch: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        often: Sequence[int] = (),
        often_share: float = 0.0,
    ) -> None:
        self.image_ids = list(image_ids)
        self._often = list(often) if often_share else []
        self._others = sorted(set(range(len(self.image_ids))) - set(self._often))
        self._often_share = often_share if self._often and self._others else float(bool(self._often))
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.skip = 0
        self._share = -(-(samples_per_epoch or len(self.image_ids)) // world_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration shuffles for; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._share

    def __iter__(self) -> Iterator[tuple[int, int]]:
        total = self._share * self.world_size
        first, self.skip = self.rank + self.skip * self.world_size, 0
        for index, repetition in islice(self._drawn(), first, total, self.world_size):
            yield index, self._stream(self.image_ids[index], repetition)

    def _drawn(self) -> Iterator[tuple[int, int]]:
        """Endless samples of an epoch: index, and which round of its kind it is."""
        order = np.random.default_rng([_unsigned(self.seed), self.epoch])
        often, others = _rounds(self._often, order), _rounds(self._others, order)
        while True:
            is_often = self._often_share == 1 or (self._often_share > 0 and order.random() < self._often_share)
            yield next(often if is_often else others)

    def _stream(self, image_id: int, repetition: int) -> int:
        key = [_unsigned(self.seed), self.epoch, _unsigned(image_id), repetition]
        return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def _rounds(indices: Sequence[int], order: np.random.Generator) -> Iterator[tuple[int, int]]:
    """All of them in random order, again and again: index and number of the round."""
    for repetition in count():
        for place in order.permutation(len(indices)):
            yield indices[place], repetition


class EvaluationBatches(Sampler[list[int]]):
    """Batches of indices that visit every frame exactly once over all processes; no padding, no repeats.

    A batch holds frames of one network size. Processes get equally many frames, give or take one. A process with no
    frame gets one batch with the index ``DUMMY``: without any batch Lightning fails or hangs.

    Args:
        sizes: network size of each frame, by index.
        batch_size: frames of a batch, at most.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(self, sizes: Sequence[Size], batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        by_size: dict[Size, list[int]] = {}
        for index, size in enumerate(sizes):
            by_size.setdefault(size, []).append(index)
        position = 0
        self.batches: list[list[int]] = []
        for indices in by_size.values():
            own = [index for place, index in enumerate(indices, position) if place % world_size == rank]
            position += len(indices)
            self.batches += [own[first : first + batch_size] for first in range(0, len(own), batch_size)]
        self.batches = self.batches or [[DUMMY]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


def _unsigned(value: int) -> int:
    return value % 2**64
