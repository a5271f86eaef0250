"""What all writers of predictions have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from carcinosis_loc.data.dataset import Rgb, read_frame
from carcinosis_loc.drawing import Heatmap
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.points import Frame, Peaks
from carcinosis_loc.video import Outcome

Int64 = npt.NDArray[np.int64]


class Row(NamedTuple):
    """One point: x and y in thousandths of a pixel; a score with as many digits as tell it from its neighbours."""

    x: float
    y: float
    score: float
    track_id: int | None


@dataclass(frozen=True, eq=False)
class Found:
    """One frame and what was found in it.

    Attributes:
        frame: which; a frame of a video has ``frame`` and ``time_s`` in its ``extra``.
        peaks: those at or above the threshold, image pixels.
        in_video: it is a frame of a video, and no image.
        track_ids: ``(N,)``, of the peaks, where they are tracked.
        pixels: the frame itself; None where it can be read again, or is needed no more.
        heatmap: what the network said, where a writer asks for it.
    """

    frame: Frame
    peaks: Peaks
    in_video: bool = False
    track_ids: Int64 | None = None
    pixels: Rgb | None = None
    heatmap: Heatmap | None = None

    def image(self) -> Rgb:
        """Pixels ``(height, width, 3)``, uint8, RGB."""
        return read_frame(self.frame) if self.pixels is None else self.pixels

    @property
    def index(self) -> int | None:
        """0-based index in its video."""
        return self.frame.extra["frame"] if self.in_video else None

    @property
    def time_s(self) -> float | None:
        """Seconds from the start of its video."""
        return self.frame.extra["time_s"] if self.in_video else None

    def rows(self) -> Iterator[Row]:
        """The points, best first."""
        ids = [None] * len(self.peaks) if self.track_ids is None else self.track_ids.tolist()
        for (x, y), score, track_id in zip(self.peaks.xy, self.peaks.scores, ids, strict=True):
            yield Row(round(float(x), 3), round(float(y), 3), plain_score(score), track_id)


class TrackSummary(Protocol):
    """What a tracker says of a nodule, see ``tracking.Track``."""

    track_id: int
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    n_sightings: int
    best_score: float
    n_in_view: int


@dataclass(frozen=True)
class VideoEnd:
    """A video is over.

    Attributes:
        outcome: how much of it was read.
        tracks: the columns of ``TrackTable``, one tuple a track.
        same: ids that turned out to be those of another track, by the one to use.
    """

    outcome: Outcome
    tracks: tuple[tuple[Any, ...], ...] = ()
    same: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """What writers know of a run.

    Attributes:
        folder: where they write; it becomes ``predictions/`` when all is there.
        name_of: the name of a frame's pictures, or of its video's: without suffix, and no two alike.
        calibration: how scores read as probabilities.
        provenance: where the predictions come from; see ``Provenance``.
    """

    folder: Path
    name_of: Callable[[Frame], str]
    calibration: Calibration | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


class PredictionWriter(ABC):
    """Writes one kind of file into ``predictions/``.

    ``begin``, ``frame`` for each frame, ``video`` at the end of each video, ``finish``. The folder is put in its place
    when all writers have finished, so a file needs no care of its own to be written whole or not at all.

    A writer that ``wants_pixels`` works while the network does, in the process that saw the frame, in the order in
    which frames come. The others work at the end, in the first process, in the order of the images.
    """

    wants_pixels = False
    wants_heatmaps = False

    def __init__(self) -> None:
        self.about: About | None = None

    @property
    def folder(self) -> Path:
        """Where to write."""
        assert self.about is not None
        return self.about.folder

    def begin(self, about: About) -> None:
        """Start; nothing was seen yet."""
        self.about = about

    @abstractmethod
    def frame(self, found: Found) -> None:
        """Take a frame."""

    def video(self, ended: VideoEnd) -> None:  # noqa: B027 a writer may have nothing to say to it
        """A video is over; its frames came before."""

    def finish(self) -> None:  # noqa: B027
        """Write what is left."""

    def commit(self) -> dict[str, Any]:
        """Make sure that all frames so far are on disk, and give what ``restore`` needs to go on; plain values."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Go on from a ``commit``, after ``begin``; what was written since then is written again."""


def plain_score(score: float | np.float32) -> float:
    """A float32 score as the shortest decimal number that stands for it."""
    return float(str(np.float32(score)))
