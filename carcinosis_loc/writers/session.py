"""One run of ``predict`` from its first frame to its files; it knows nothing of Lightning."""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.data.batch import Milestone, Position
from carcinosis_loc.points import Frame, Peaks
from carcinosis_loc.tracking import PointTracker, Track
from carcinosis_loc.video import Outcome
from carcinosis_loc.writers.base import About, Found, PredictionWriter, VideoEnd, plain_score
from carcinosis_loc.writers.journal import Journal, undamaged


class PredictionSession:
    """Hands frames to the writers that want their pixels, keeps their points, and at the end lets the others write.

    Without a journal points are kept in memory; with one, in its chunks, so that memory stays constant and a killed
    run goes on from the last chunk.

    Args:
        about: what writers know of the run.
        writers: all of them.
        journal: of a stream; its state is gone on from.
        tracker: as it is at the start of a video; None tracks nothing.
        broken: what to say of a video that was not read to its end: by its file name, and index and time of the last
            frame that was looked at.

    Attributes:
        found: since the last commit; without a journal, all.
        n_frames: looked at so far; after ``write``, of all processes, as are ``n_points`` and ``highest`` (score).
    """

    def __init__(
        self,
        about: About,
        writers: Sequence[PredictionWriter],
        journal: Journal | None = None,
        tracker: PointTracker | None = None,
        broken: Callable[[str, int, float], Outcome] | None = None,
    ) -> None:
        self.found: list[Found] = []
        self.n_frames = self.n_points = 0
        self.highest: float | None = None
        self._about = about
        self._early = [writer for writer in writers if writer.wants_pixels]
        self._late = [writer for writer in writers if not writer.wants_pixels]
        self._journal = journal
        self._fresh_tracker, self._tracker = tracker, copy.deepcopy(tracker)
        self._broken = broken
        self._last: Found | None = None  # of the video that is being read
        self._first_id = self._last_id = 0  # ids of tracks are unique over all videos
        for writer in self._early:
            writer.begin(about)
        if journal is not None and journal.state is not None:
            with undamaged(about.folder):
                self._restore(journal.state)

    def take(self, found: Iterable[Found], milestone: Milestone | None = None) -> None:
        """Take the frames of a batch."""
        for one in found:
            tracked = self._track(one)
            for writer in self._early:
                writer.frame(tracked)
            self.n_frames += 1
            self._last = tracked if tracked.in_video else None
            peaks = Peaks(tracked.peaks.xy.copy(), tracked.peaks.scores.copy())  # views would keep all below them too
            self.found.append(replace(tracked, peaks=peaks, pixels=None, heatmap=None))
        if milestone is not None:
            self._commit(milestone.position, milestone.ended)

    def close(self, unsaid: Sequence[Outcome] = ()) -> None:
        """No more frames come; ``unsaid`` are videos that ended since the last one."""
        ended = list(unsaid)
        if self._last is not None and self._broken is not None:
            ended.insert(0, self._broken(self._last.frame.file_name, self._last.index or 0, self._last.time_s or 0.0))
        if self._journal is not None:
            self._commit(Position(), ended, done=True)
        for writer in self._early:
            writer.finish()

    def write(self, found: Iterable[Found]) -> None:
        """Let the other writers write, and count; ``found`` are all frames of all processes. A journal has its own."""
        self.n_frames = 0
        for writer in self._late:
            writer.begin(self._about)
        for entry in found if self._journal is None else self._journal.replay():
            if isinstance(entry, Found):
                self._count(entry)
            for writer in self._late:
                if isinstance(entry, VideoEnd):
                    writer.video(entry)
                else:
                    writer.frame(entry)
        for writer in self._late:
            writer.finish()

    def _count(self, found: Found) -> None:
        self.n_frames += 1
        self.n_points += len(found.peaks)
        if len(found.peaks):
            self.highest = max(self.highest or 0.0, float(found.peaks.scores[0]))

    def _track(self, found: Found) -> Found:
        if not found.in_video or self._tracker is None:
            return found
        assert found.index is not None
        assert found.time_s is not None
        ids = self._tracker.update(found.image(), found.peaks, found.index, found.time_s) + self._first_id
        self._last_id = max(self._last_id, int(ids.max(initial=0)))
        return replace(found, track_ids=ids)

    def _commit(self, position: Position, outcomes: Sequence[Outcome], done: bool = False) -> None:
        ended = [self._end(outcome) for outcome in outcomes]
        if self._journal is None:
            return
        last = self._last
        state = {
            "position": asdict(position),
            "done": done,
            "n_frames": self.n_frames,
            "ids": [self._first_id, self._last_id],
            "last": None if last is None else [last.frame.file_name, last.index, last.time_s],
            "tracker": None if self._tracker is None or last is None else self._tracker.state(),
            "writers": {type(writer).__name__: writer.commit() for writer in self._early},
        }
        self._journal.commit(self.found, ended, state)
        self.found = []

    def _end(self, outcome: Outcome) -> VideoEnd:
        """The end of a video, with its tracks if frames of it were seen."""
        seen, self._last = self._last, None
        if seen is None or seen.frame.file_name != outcome.file_name or self._tracker is None:
            return VideoEnd(outcome)
        first, self._first_id = self._first_id, self._last_id
        ids = np.arange(1, self._last_id - first + 1)
        pairs = zip(ids.tolist(), self._tracker.settle(ids).tolist(), strict=True)
        tracks = tuple(_row(track, first, outcome.file_name) for track in self._tracker.tracks())
        self._tracker = copy.deepcopy(self._fresh_tracker)
        return VideoEnd(outcome, tracks, {own + first: joined + first for own, joined in pairs if own != joined})

    def _restore(self, state: dict[str, Any]) -> None:
        self.n_frames = state["n_frames"]
        self._first_id, self._last_id = state["ids"]
        if state["tracker"] is not None and self._tracker is not None:
            self._tracker.restore(state["tracker"])
        if state["last"] is not None:
            self._last = _remembered(*state["last"])
        for writer in self._early:
            writer.restore(state["writers"][type(writer).__name__])


def _row(track: Track, first_id: int, file_name: str) -> tuple[Any, ...]:
    span = track.first_s, track.last_s, track.first_frame, track.last_frame
    return (
        track.track_id + first_id,
        file_name,
        *span,
        track.n_sightings,
        plain_score(track.best_score),
        track.n_in_view,
    )


def _remembered(file_name: str, index: int, time_s: float) -> Found:
    """The last frame before an interruption: its name and moment are all that is needed of it."""
    frame = Frame(0, file_name, Path(), (1, 1), extra={"frame": index, "time_s": time_s})
    return Found(frame, Peaks.none(), in_video=True)
