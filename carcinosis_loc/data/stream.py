"""Images and videos as one stream of batches: read ahead in a thread, in constant memory, and from where it stopped."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, IterableDataset

from carcinosis_loc.data.batch import Batch, Milestone, Position
from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.coverage import VALID, coverage_map
from carcinosis_loc.data.dataset import PATIENCE_S, Rgb, Sample, letterbox_image, read_frame
from carcinosis_loc.data.sources import Item
from carcinosis_loc.errors import InputError
from carcinosis_loc.pipes import ahead
from carcinosis_loc.points import Frame, Letterbox, Size
from carcinosis_loc.video import FrameRate, Outcome, Video, VideoReader

_log = logging.getLogger(__name__)

CHUNK = 100  # frames after which a run can go on: few enough to lose, enough to make the writing cheap
_BATCHES_AHEAD = 2


class _Seen(NamedTuple):
    """A frame with its pixels, and where the stream stands after it."""

    frame: Frame
    pixels: Rgb
    position: Position


class _Ended(NamedTuple):
    """A video is over."""

    outcome: Outcome
    position: Position


class FrameStream(IterableDataset[Batch]):
    """Batches of frames of images and videos, in their order; a batch holds frames of one size.

    A milestone comes after every 100 frames and at the end of each video. Batches end there, so that a run that goes
    on from a milestone sees the same batches as one that was not interrupted.

    Args:
        items: images and videos.
        rate: which frames of a video are looked at.
        image_size: ``(height, width)`` that frames are letterboxed to; None keeps the native size.
        batch_size: frames of a batch, at most.
        patience_s: how long to wait for an image that is gone, or for a live stream that gives nothing, seconds.

    Attributes:
        position: where the next iteration starts.
        unsaid: after the iteration, the videos that ended after the last batch: those without a frame.
    """

    def __init__(
        self,
        items: Sequence[Item],
        rate: FrameRate,
        image_size: Size | None = None,
        batch_size: int = 8,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.items = list(items)
        self.rate = rate
        self.image_size = image_size
        self.batch_size = batch_size
        self.patience_s = patience_s
        self.position = Position()
        self.unsaid: list[Outcome] = []
        self._stop = threading.Event()

    @property
    def live(self) -> bool:
        """Whether it has no end that is known, and cannot be read twice."""
        return any(isinstance(item, Video) and item.live for item in self.items)

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there are from its beginning; None where a header does not say."""
        total = 0.0
        for item in self.items:
            if isinstance(item, Frame):
                total += 1
            elif item.duration_s is None or not item.fps:
                return None
            else:
                total += max(1.0, item.duration_s * item.fps * self.rate.share(item.fps))
        return round(total)

    def stop(self) -> None:
        """End the video that is being read as if it ended here, and read no other."""
        self._stop.set()

    def broken(self, file_name: str, index: int, time_s: float) -> Outcome:
        """What to say of a video of which nothing was read after frame ``index``, because the run ended there."""
        video = next(item for item in self.items if isinstance(item, Video) and item.file_name == file_name)
        sampling = (self.rate.every_nth if self.rate.per_second is None else None), self.rate.per_second
        why = f"at frame {index}, {time_s:.2f} s: the run was ended there"
        return Outcome(file_name, video.fps, round(time_s, 3), index + 1, *sampling, False, why)

    def __iter__(self) -> Iterator[Batch]:
        """Batches from ``position`` on; a thread reads two of them in advance."""
        self.unsaid = []
        return ahead(self._batches(), _BATCHES_AHEAD)

    def _batches(self) -> Iterator[Batch]:
        pending: list[_Seen] = []
        of_chunk, ended = 0, self.unsaid
        for event in self._events():
            if isinstance(event, _Ended):
                ended.append(event.outcome)
                if pending:
                    yield self._batch(pending, Milestone(event.position, tuple(ended)))
                    pending, of_chunk = [], 0
                    ended.clear()
                continue
            if pending and of_chunk >= CHUNK:
                yield self._batch(pending, Milestone(pending[-1].position, tuple(ended)))
                pending, of_chunk = [], 0
                ended.clear()
            elif pending and (len(pending) == self.batch_size or self._size(pending[0]) != self._size(event)):
                yield self._batch(pending)
                pending = []
            pending.append(event)
            of_chunk += 1
        if pending:
            yield self._batch(pending, Milestone(pending[-1].position, tuple(ended)))
            ended.clear()

    def _events(self) -> Iterator[_Seen | _Ended]:
        at = self.position
        for number in range(at.item, len(self.items)):
            if self._stop.is_set():
                return
            item = self.items[number]
            if isinstance(item, Video):
                for event in self._video(item, at):
                    yield event
                    at = event.position
            else:
                at = Position(number + 1, -1, at.image_id + 1)
                yield _Seen(replace(item, image_id=at.image_id - 1, extra={}), read_frame(item, self.patience_s), at)

    def _video(self, video: Video, start: Position) -> Iterator[_Seen | _Ended]:
        reader = VideoReader(video, self.rate, start.after, self._stop, self.patience_s)
        at = start
        for seen in reader:
            extra = {"frame": seen.index, "time_s": round(seen.time_s, 6)}
            size = (seen.image.shape[0], seen.image.shape[1])
            frame = Frame(at.image_id, video.file_name, Path(video.source), size, exhaustive=False, extra=extra)
            at = Position(at.item, seen.index, at.image_id + 1)
            yield _Seen(frame, seen.image, at)
        assert reader.outcome is not None
        if reader.outcome.broke_off:
            _log.warning("%s: broke off %s; what was read is kept", video.place, reader.outcome.broke_off)
        elif video.live:
            _log.info("%s: the stream ended after %.1f s", video.file_name, reader.outcome.duration_s)
        yield _Ended(reader.outcome, Position(at.item + 1, -1, at.image_id))

    def _size(self, seen: _Seen) -> Size:
        return self.image_size or seen.frame.size

    def _batch(self, seen: Sequence[_Seen], milestone: Milestone | None = None) -> Batch:
        batch = collate([self._sample(one) for one in seen])
        return replace(batch, pixels=[one.pixels for one in seen], milestone=milestone)

    def _sample(self, seen: _Seen) -> Sample:
        box = Letterbox.fit(seen.frame.size, self.image_size)
        valid = coverage_map(box) == VALID
        return Sample(letterbox_image(seen.pixels, box), valid, seen.frame.points.xy, seen.frame, box)


def stream_loader(stream: FrameStream, processes: int) -> DataLoader[Any]:
    """The loader of a stream; the stream makes its own batches.

    Raises:
        InputError: several processes, which would each see every frame.
    """
    if processes > 1:
        raise InputError("a video is read by one process; give --trainer.devices 1 and one node")
    return DataLoader(stream, batch_size=None, pin_memory=torch.cuda.is_available())
