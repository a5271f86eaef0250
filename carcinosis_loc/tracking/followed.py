"""A track that may be seen again."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from carcinosis_loc.tracking.tracks import Track

XY = tuple[float, float]


@dataclass
class Followed:
    """A track with its place.

    Attributes:
        track: what was seen of it.
        xy: its place in the last frame, image pixels; while it is live.
        anchor: number of the key frame by which its last sighting was placed; 0 is none.
        anchor_xy: its place in that key frame, image pixels.
        gap: looked-at frames since the last sighting.
        live: whether it is carried from frame to frame, and not only remembered on the map.
    """

    track: Track
    xy: XY
    anchor: int
    anchor_xy: XY
    gap: int = 0
    live: bool = True

    def join(self, later: "Followed") -> None:
        """Take in a later track that turned out to be the same."""
        self.track = self.track.joined(later.track)
        self.xy, self.anchor, self.anchor_xy = later.xy, later.anchor, later.anchor_xy
        self.gap, self.live = later.gap, later.live

    def plain(self) -> list[Any]:
        """As plain values."""
        return [*astuple(self.track), *self.xy, self.anchor, *self.anchor_xy, self.gap, self.live]

    @classmethod
    def of_plain(cls, row: Sequence[Any]) -> "Followed":
        """What ``plain`` was made of."""
        n = len(fields(Track))
        x, y, anchor, anchor_x, anchor_y, gap, live = row[n:]
        return cls(Track(*row[:n]), (x, y), anchor, (anchor_x, anchor_y), gap, live)
