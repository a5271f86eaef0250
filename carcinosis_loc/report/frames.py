"""What a predictions folder holds, as arrays: hours of video are hundreds of thousands of frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from carcinosis_loc.tracking import MIN_SEEN_SHARE, MIN_SIGHTINGS

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames that were looked at, in the order of ``images.json``; each array has one row a frame.

    Attributes:
        image_id: ids, unique.
        name: file name; the frames of a video share its name.
        size: ``(F, 2)``, height and width, image pixels.
        time_s: seconds from the video's start; NaN for an image.
    """

    image_id: Int64
    name: list[str]
    size: Int64
    time_s: Float64

    def __len__(self) -> int:
        return len(self.image_id)


@dataclass(frozen=True, eq=False)
class Found:
    """The points of all frames; each array has one row a point.

    Attributes:
        frame: index of the frame, not its id.
        xy: ``(P, 2)``, image pixels.
        score: in [0, 1].
        track_id: 0 where there is none.
    """

    frame: Int64
    xy: Float64
    score: Float64
    track_id: Int64

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True)
class Track:
    """One nodule over its frames: a line of ``tracks.csv``."""

    track_id: int
    name: str
    n_sightings: int
    best_score: float
    n_in_view: int


@dataclass(frozen=True, eq=False)
class Video:
    """A video among the sources.

    Attributes:
        name: its file name.
        frames: ``(N,)``, indices of its frames by rising time.
        duration_s: how long it is, or how much of it could be read.
        broke_off: why reading ended before the video did; None if it did not.
    """

    name: str
    frames: Int64
    duration_s: float
    broke_off: str | None = None


@dataclass(frozen=True, eq=False)
class Findings:
    """A predictions folder.

    Attributes:
        folder: where it lies.
        frames: what was looked at.
        found: what was found in it.
        threshold: the score from which a point counts.
        videos: the videos among the sources, in their order.
        images: ``(M,)``, indices of the frames that are no video's.
        tracks: nodules linked over the frames of videos; None where nobody linked them.
        key_frames: index of a frame and its picture without marks.
        clear_key_frames: they were chosen for being clear too, and not for their number of points alone.
        provenance: what made the folder, as it was written; empty where nothing was.
    """

    folder: Path
    frames: Frames
    found: Found
    threshold: float
    videos: list[Video]
    images: Int64
    tracks: list[Track] | None = None
    key_frames: list[tuple[int, Path]] = field(default_factory=list)
    clear_key_frames: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def counts(self, threshold: float | None = None) -> Int64:
        """``(F,)``: points at or above ``threshold`` (the folder's own where none is given) in every frame."""
        kept = self.found.score >= (self.threshold if threshold is None else threshold)
        return np.bincount(self.found.frame[kept], minlength=len(self.frames)).astype(np.int64)

    def steady_counts(self) -> Int64:
        """``(F,)``: of the points that count those of counted nodules; all, where none is (in images, too)."""
        counts = self.counts()
        for video in self.videos:
            tracks = self.tracks_of(video)
            if tracks:
                counted = np.isin(self.found.track_id, [one.track_id for one in tracks])
                kept = counted & (self.found.score >= self.threshold)
                counts[video.frames] = np.bincount(self.found.frame[kept], minlength=len(counts))[video.frames]
        return counts

    def tracks_of(self, video: Video, min_seen_share: float = MIN_SEEN_SHARE) -> list[Track] | None:
        """The nodules of a video, as ``tracking.count_unique`` counts them; the best score reaches the threshold."""
        if self.tracks is None:
            return None
        own = (one for one in self.tracks if one.name == video.name and one.n_sightings >= MIN_SIGHTINGS)
        steady = (one for one in own if one.n_sightings >= min_seen_share * one.n_in_view)
        return [one for one in steady if one.best_score >= self.threshold]
