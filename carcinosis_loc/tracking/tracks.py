"""What is known of one nodule over the frames of a video."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

MIN_SIGHTINGS = 3
"""Sightings from which a track counts as a nodule; what was seen less often may be a false peak."""

MIN_SEEN_SHARE = 0.6
"""Share of the frames in which a track's place was in view that must show it.

A nodule that is there is found whenever the camera looks; most false peaks flicker at their place. The share does not
depend on how high a network's scores are. It cannot tell a lookalike that is found in every frame."""


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
        n_in_view: looked-at frames in which its place lay in the frame, while it was followed; those with a peak and
            those without.
    """

    track_id: int
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    n_sightings: int
    best_score: float
    n_in_view: int

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
            self.n_in_view + 1,
        )

    def with_miss(self) -> "Track":
        """The track after a frame that should have shown it and did not."""
        return replace(self, n_in_view=self.n_in_view + 1)

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
            self.n_in_view + later.n_in_view,
        )


def count_unique(
    tracks: Iterable[Track], min_sightings: int = MIN_SIGHTINGS, min_seen_share: float = MIN_SEEN_SHARE
) -> int:
    """The number of unique nodules: tracks with ``min_sightings`` or more, seen in enough of the frames in view.

    With ``min_seen_share=0`` flickering tracks count too, which is far too many with a network of low precision.
    """
    return sum(
        track.n_sightings >= min_sightings and track.n_sightings >= min_seen_share * track.n_in_view for track in tracks
    )
