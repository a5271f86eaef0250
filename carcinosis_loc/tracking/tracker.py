"""Links the points of a video's frames, so that a nodule is counted once."""

from collections.abc import Mapping
from dataclasses import astuple, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Peaks
from carcinosis_loc.tracking.assignment import Bool, Int64, assign
from carcinosis_loc.tracking.atlas import Atlas
from carcinosis_loc.tracking.followed import Followed
from carcinosis_loc.tracking.similarity import Float64
from carcinosis_loc.tracking.state import atlas_of, plain_atlas
from carcinosis_loc.tracking.tracks import MIN_SIGHTINGS, Track
from carcinosis_loc.tracking.view import View

MAX_DISTANCE_SHARE = 0.04
_LEAST_WEIGHT = 0.25  # of a new sighting in a track's place: peaks jitter, motion hardly does


class PointTracker:
    """Gives every peak of a video the id of its nodule; see docs/tracks.md.

    A peak is assigned to the track that is nearest after the camera's motion is taken off. A track without a peak is
    carried along with the camera. After ``max_gap`` looked-at frames without a peak it is over if it was seen fewer
    than ``min_sightings`` times; else it is remembered at its place on the map, and taken up again when the
    camera is back.

    Memory is bounded but for the summaries of tracks that are over. Equal calls give equal ids.

    Args:
        max_distance_px: image pixels; a peak farther from a track's expected place is another one. None is 4 % of the
            frame's shorter side (29 pixels at 720 rows).
        max_gap: looked-at frames.
        min_sightings: looked-at frames with a peak from which a track is a nodule.
        max_remembered: tracks; the one that was seen longest ago is forgotten first, and new when it is seen again.
        max_key_frames: views by which the camera's place is known again; see ``Atlas``.

    Raises:
        ValueError: an argument that is not positive.
    """

    def __init__(
        self,
        max_distance_px: float | None = None,
        max_gap: int = 10,
        min_sightings: int = MIN_SIGHTINGS,
        max_remembered: int = 3000,
        max_key_frames: int = 100,
    ) -> None:
        numbers = (max_gap, min_sightings, max_remembered, max_key_frames)
        if min(numbers) < 1 or (max_distance_px is not None and not max_distance_px > 0):
            raise ValueError("a tracker's distance and numbers must be positive")
        self.max_distance_px = max_distance_px
        self.max_gap = max_gap
        self.min_sightings = min_sightings
        self.max_remembered = max_remembered
        self.atlas = Atlas(max_key_frames)
        self._followed: list[Followed] = []
        self._over: list[Track] = []
        self._same: dict[int, int] = {}
        self._n_ids = 0

    def update(self, image: npt.NDArray[np.uint8], peaks: Peaks, frame: int, time_s: float) -> Int64:
        """Take the next looked-at frame.

        Args:
            image: ``(H, W, 3)``, uint8, RGB.
            peaks: what counts as found in it, image pixels.
            frame: index in the video, rising from call to call.
            time_s: seconds.

        Returns:
            One track id a peak, ``(N,)``, from 1 up. Two ids that turn out to be one nodule are joined later: see
            ``settle``.

        Raises:
            ValueError: an image of another shape or type.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"a frame must be (H, W, 3), uint8, got {image.shape}, {image.dtype}")
        reach_px = self.max_distance_px or MAX_DISTANCE_SHARE * min(image.shape[:2])
        self._carry(View.of(image))
        if self.atlas.recognised:
            self._join_doubles(reach_px, image.shape[:2])
        seen = peaks.xy.astype(np.float64)
        ids = np.zeros(len(peaks), np.int64)
        missed: list[tuple[Followed, Float64]] = []
        for live in (True, False):
            candidates, predicted = self._expected(live)
            missed += zip(candidates, predicted, strict=True)
            free = np.flatnonzero(ids == 0)
            for row, column in assign(predicted, seen[free], reach_px).tolist():
                peak = int(free[column])
                ids[peak] = candidates[row].track.track_id
                self._sight(candidates[row], predicted[row], seen[peak], frame, time_s, float(peaks.scores[peak]))
        self._miss(missed, image.shape[:2])
        for peak in np.flatnonzero(ids == 0).tolist():
            ids[peak] = self._start(seen[peak], frame, time_s, float(peaks.scores[peak]))
        self._retire()
        return ids

    def tracks(self) -> list[Track]:
        """All tracks so far, by id; those seen fewer than ``min_sightings`` times may be false peaks."""
        return sorted([*self._over, *(item.track for item in self._followed)], key=lambda track: track.track_id)

    def settle(self, ids: Int64) -> Int64:
        """The ids as ``tracks`` has them now: of tracks that turned out to be one, the first id."""
        return np.array([self._settled(int(key)) for key in ids], np.int64).reshape(np.shape(ids))

    def _settled(self, key: int) -> int:
        while key in self._same:
            key = self._same[key]
        return key

    def _carry(self, view: View) -> None:
        """Move live tracks with the camera; after a cut none is live."""
        step = self.atlas.follow(view)
        for item in self._followed:
            item.live = item.live and step is not None
        if step is not None:
            live = [item for item in self._followed if item.live]
            moved = step(np.array([item.xy for item in live], np.float64).reshape(-1, 2))
            for item, (x, y) in zip(live, moved.tolist(), strict=True):
                item.xy = (x, y)

    def _expected(self, live: bool) -> tuple[list[Followed], Float64]:
        """Live or remembered tracks, and where they should be in this frame, ``(N, 2)``."""
        if live:
            found = [item for item in self._followed if item.live]
            return found, np.array([item.xy for item in found], np.float64).reshape(-1, 2)
        by_anchor: dict[int, list[Followed]] = {}
        for item in self._followed:
            if not item.live:
                by_anchor.setdefault(item.anchor, []).append(item)
        found, places = [], [np.zeros((0, 2))]
        for anchor, items in by_anchor.items():
            motion = self.atlas.to_frame(anchor)
            if motion is not None:
                found += items
                places.append(motion(np.array([item.anchor_xy for item in items], np.float64)))
        return found, np.concatenate(places)

    def _sight(
        self, item: Followed, predicted: Float64, seen: Float64, frame: int, time_s: float, score: float
    ) -> None:
        item.track = item.track.with_sighting(frame, time_s, score)
        weight = max(1 / item.track.n_sightings, _LEAST_WEIGHT)
        x, y = (predicted + weight * (seen - predicted)).tolist()
        item.xy, item.gap, item.live = (x, y), -1, True
        self._anchor(item)

    def _miss(self, expected: list[tuple[Followed, Float64]], size: tuple[int, ...]) -> None:
        """Note what this frame should have shown and did not; a blind view shows nothing."""
        assert self.atlas.before is not None
        if self.atlas.before.blind:
            return
        for item, (x, y) in expected:
            if item.gap >= 0 and 0 <= x <= size[1] - 1 and 0 <= y <= size[0] - 1:
                item.track = item.track.with_miss()

    def _anchor(self, item: Followed) -> None:
        motion = self.atlas.to_frame(self.atlas.current)
        if motion is not None:
            x, y = motion.inverse()(np.array([item.xy]))[0].tolist()
            item.anchor, item.anchor_xy = self.atlas.current, (x, y)

    def _start(self, seen: Float64, frame: int, time_s: float, score: float) -> int:
        self._n_ids += 1
        x, y = seen.tolist()
        item = Followed(Track(self._n_ids, frame, frame, time_s, time_s, 1, score, 1), (x, y), 0, (x, y), -1)
        self._anchor(item)
        self._followed.append(item)
        return self._n_ids

    def _retire(self) -> None:
        """Let go of tracks that are over: unsure ones after a gap, and the oldest beyond the bound."""
        kept = []
        for item in self._followed:
            item.gap += 1
            item.live = item.live and item.gap <= self.max_gap
            sure = item.track.n_sightings >= self.min_sightings and item.anchor in self.atlas.key_frames
            if item.live or sure:
                kept.append(item)
            else:
                self._over.append(item.track)
        excess = len(kept) - self.max_remembered
        if excess > 0:
            oldest = sorted(kept, key=lambda item: (item.track.last_frame, item.track.track_id))[:excess]
            self._over += [item.track for item in oldest]
            gone = {item.track.track_id for item in oldest}
            kept = [item for item in kept if item.track.track_id not in gone]
        self._followed = kept

    def _join_doubles(self, reach_px: float, size: tuple[int, ...]) -> None:
        """Once the camera's place is known again, join tracks that began meanwhile to older ones at their place."""
        items, places = [], []
        for live in (True, False):
            found, xy = self._expected(live)
            inside = np.all((xy >= 0) & (xy <= np.array([size[1], size[0]])), axis=1).tolist()
            items += [item for item, kept in zip(found, inside, strict=True) if kept]
            places.append(xy[inside])
        xy = np.concatenate(places)
        first = np.array([item.track.first_frame for item in items])
        last = np.array([item.track.last_frame for item in items])
        allowed: Bool = last[:, None] < first[None, :]
        pairs = assign(xy, xy, reach_px, allowed).tolist()
        # the youngest first: of three in a row, the last is joined to the middle one before that is joined to the first
        for row, column in sorted(pairs, key=lambda pair: -int(first[pair[1]])):
            self._join(items[row], items[column])

    def _join(self, older: Followed, later: Followed) -> None:
        self._same[later.track.track_id] = older.track.track_id
        older.join(later)
        self._followed = [item for item in self._followed if item is not later]

    def state(self) -> dict[str, Any]:
        """All that the tracker knows, as plain values that JSON can hold."""
        return {
            "columns": [field.name for field in fields(Track)],  # a state of another version is none of ours
            "max_distance_px": self.max_distance_px,
            "max_gap": self.max_gap,
            "min_sightings": self.min_sightings,
            "max_remembered": self.max_remembered,
            "atlas": plain_atlas(self.atlas),
            "followed": [item.plain() for item in self._followed],
            "over": [list(astuple(track)) for track in self._over],
            "same": [list(pair) for pair in self._same.items()],
            "n_ids": self._n_ids,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``, bit for bit; settings are taken from it as well."""
        self.max_distance_px, self.max_gap = state["max_distance_px"], state["max_gap"]
        self.min_sightings, self.max_remembered = state["min_sightings"], state["max_remembered"]
        self.atlas = atlas_of(state["atlas"])
        self._followed = [Followed.of_plain(row) for row in state["followed"]]
        self._over = [Track(*row) for row in state["over"]]
        self._same = dict(state["same"])
        self._n_ids = state["n_ids"]
