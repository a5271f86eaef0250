"""How labels are thinned: the arguments, checked."""

import math
from dataclasses import dataclass

from carcinosis_loc.errors import InputError


@dataclass(frozen=True)
class Thinning:
    """Which points are kept and what is done to them. All lengths are in image pixels.

    Attributes:
        keep_share: share of the points of an image, 0 to 1; what is left of a point is settled by chance.
        per_frame: number of points kept on an image, at most; not together with ``keep_share``.
        conspicuous_first: keep the most conspicuous ones, by the annotations' ``conspicuity`` if all have it, else
            by ``area``; otherwise chance decides. Values that rank no image's points are refused.
        one_per_cluster_px: of points closer than this, keep one at most.
        fewer_are_whole: an image on which fewer than ``per_frame`` are kept, because it has no more, stays exhaustive,
            as whoever was asked for so many and marks fewer has marked all.
        some_whole: so many images, drawn at random of those on which points are left out, keep all of them instead and
            stay exhaustive: somebody has marked these in full. (What is moved or added is so on these, too.)
        jitter_px: standard deviation by which the kept points are moved in x and in y; they stay on the image.
        false_share: false points to add, as a share of the kept ones.
        false_distance_px: how far a false point lies from every point of the dense labels, at least.
        seed: 0 or more.

    Raises:
        InputError: an argument out of its range, or arguments that exclude each other.
    """

    keep_share: float | None = None
    per_frame: int | None = None
    conspicuous_first: bool = False
    one_per_cluster_px: float | None = None
    fewer_are_whole: bool = False
    some_whole: int = 0
    jitter_px: float = 0.0
    false_share: float = 0.0
    false_distance_px: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.keep_share is not None and self.per_frame is not None:
            raise InputError("keep_share and per_frame exclude each other; give one of them")
        if self.keep_share is not None and not 0 <= self.keep_share <= 1:
            raise InputError(f"keep_share is {self.keep_share}; it must be from 0 to 1")
        if self.per_frame is not None and self.per_frame < 0:
            raise InputError(f"per_frame is {self.per_frame}; it must be 0 or more")
        if self.false_share > 100:
            raise InputError(f"false_share is {self.false_share}; it must be 100 at most")
        if self.fewer_are_whole and self.per_frame is None:
            raise InputError("fewer_are_whole needs per_frame, which says how many were asked for; give it too")
        choice = (self.keep_share, self.per_frame, self.one_per_cluster_px)
        if self.conspicuous_first and all(value is None for value in choice):
            raise InputError("conspicuous_first needs keep_share, per_frame or one_per_cluster_px; give one of them")
        if self.some_whole and all(value is None for value in choice):
            raise InputError("some_whole needs keep_share, per_frame or one_per_cluster_px; give one of them")
        for name in ("one_per_cluster_px", "some_whole", "jitter_px", "false_share", "false_distance_px", "seed"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"{name} is {value}; it must be a number of 0 or more")
