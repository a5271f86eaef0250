"""What is known of one nodule over the frames of a video."""

from collections.abc import Iterable
from dataclasses import dataclass

MIN_SIGHTINGS = 3
"""Sightings from which a track counts as a nodule; what was seen less often may be a false peak."""


@dataclass(frozen=True)
class Track:
    """The summary of a track.

    Attributes:
        track_id: from 1 up.
        first_frame: index in the video.
        last_frame: index in the video.
        first_s: time of the first sighting, seconds.
        last_s: time of the last sighting, seconds.
        n_sightings: looked-at frames with a peak of this track.
        best_score: highest score of its peaks, a probability.
    """

    track_id: int
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    n_sightings: int
    best_score: float

    def with_sighting(self, frame: int, time_s: float, score: float) -> "Track":
        """The track after one more sighting."""
        return Track(
            self.track_id,
            self.first_frame,
            frame,
            self.first_s,
            time_s,
            self.n_sightings + 1,
            max(self.best_score, score),
        )

    def joined(self, later: "Track") -> "Track":
        """The track and a later one that turned out to be the same."""
        return Track(
            self.track_id,
            self.first_frame,
            later.last_frame,
            self.first_s,
            later.last_s,
            self.n_sightings + later.n_sightings,
            max(self.best_score, later.best_score),
        )


def count_unique(tracks: Iterable[Track], min_sightings: int = MIN_SIGHTINGS) -> int:
    """The number of unique nodules: tracks with ``min_sightings`` or more."""
    return sum(track.n_sightings >= min_sightings for track in tracks)
