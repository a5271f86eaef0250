"""Which of the frames that come stand for the whole: clear ones, spread over it, with many points that stay."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from carcinosis_loc.tracking import MIN_SIGHTINGS

MOST = 12
POOL = 4 * MOST  # from which they are chosen at the end
_RECENT = 10  # frames in which a steady point was seen MIN_SIGHTINGS times


class Kept(NamedTuple):
    """A frame that may become a key frame; ``place`` is its number in the sequence.

    Attributes:
        n_points: all of them.
        steady: sum of the probabilities of the points that stay, times the frame's clearness.
        likely: the same of all points.
        clearness: see ``clearness``.
        tracks: of the points that stay; none where nobody tracks.
    """

    place: int
    image_id: int
    name: str
    n_points: int
    steady: float
    likely: float = 0.0
    clearness: float = 0.0
    tracks: Sequence[int] = ()

    @property
    def worth(self) -> tuple[float, float]:
        """What stays comes first: in glare there are many points that are gone in the next frame."""
        return self.steady, self.likely

    def worth_beside(self, shown: Set[int]) -> tuple[float, float]:
        """Its worth beside frames that show these tracks: only what is new counts, as the camera comes back."""
        new = sum(track not in shown for track in self.tracks) / len(self.tracks) if self.tracks else 1.0
        return new * self.steady, new * self.likely


class Spread:
    """Keeps the best frame of each stretch of a sequence whose length nobody knows.

    Stretches are of equal length, and double it when there are too many: so what is kept is spread over the whole, and
    bounded.
    """

    def __init__(self, length: int = 1, count: int = 0, kept: Mapping[int, Kept] | None = None) -> None:
        self.length = length
        self.count = count
        self.kept: dict[int, Kept] = dict(kept or {})

    def offer(self, candidate: Kept) -> bool:
        """Take the next frame of the sequence, whose place is ``count``; whether it is kept, for now."""
        stretch = self.count // self.length
        self.count += 1
        if stretch in self.kept and self.kept[stretch].worth >= candidate.worth:
            return False
        self.kept[stretch] = candidate
        if len(self.kept) > POOL:
            self._double()
        return candidate in self.kept.values()

    def best(self) -> list[Kept]:
        """At most 12, in the order of the sequence; frames without a point only where no frame has one."""
        stretches = 1
        while len({stretch // stretches for stretch in self.kept}) > MOST:
            stretches *= 2
        chosen: list[Kept] = []
        shown: set[int] = set()
        for _, group in groupby(sorted(self.kept), key=lambda stretch: stretch // stretches):
            one = max((self.kept[stretch] for stretch in group), key=lambda kept: kept.worth_beside(shown))
            # the best of two stretches may lie side by side where these meet: then they look alike
            if chosen and one.place - chosen[-1].place < stretches * self.length / 2:
                chosen[-1] = max(chosen[-1], one, key=lambda kept: kept.worth)
            else:
                chosen.append(one)
            shown.update(chosen[-1].tracks)
        return [one for one in chosen if one.n_points] or chosen

    def _double(self) -> None:
        merged: dict[int, Kept] = {}
        for stretch in sorted(self.kept):
            one, half = self.kept[stretch], stretch // 2
            if half not in merged or one.worth > merged[half].worth:
                merged[half] = one
        self.length, self.kept = 2 * self.length, merged


class Steadiness:
    """Tells which points of a video stay: their track was seen in 3 or more of the last 10 looked-at frames."""

    def __init__(self, recent: Sequence[Sequence[int]] = ()) -> None:
        self.recent = [list(ids) for ids in recent]

    def of(self, track_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """``(N,)``, of the points of the next frame."""
        self.recent = [*self.recent[1 - _RECENT :], track_ids.tolist()]
        seen = Counter(number for ids in self.recent for number in ids)
        return np.array([seen[number] >= MIN_SIGHTINGS for number in track_ids.tolist()], bool)
