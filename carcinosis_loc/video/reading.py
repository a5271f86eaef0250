"""A video's frames, upright, with their times; what is damaged is passed over and said."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from carcinosis_loc.video.opening import Video, frame_rate, opened, told_duration
from carcinosis_loc.video.piping import StoppedStream
from carcinosis_loc.video.rate import FrameRate

Rgb = npt.NDArray[np.uint8]

_FALLBACK_FPS = 25.0
_LATE_S, _LATE_SHARED_S = 0.5, 5.0  # a video may end so much before its header's duration


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame: its 0-based index in the stream, seconds from the stream's start, ``(H, W, 3)`` RGB pixels."""

    index: int
    time_s: float
    image: Rgb


@dataclass(frozen=True)
class Outcome:
    """What became of a video.

    Attributes:
        file_name: which.
        fps: frames a second on average, as far as the header says.
        duration_s: from its start to the end of its last frame that was read, seconds.
        n_frames_read: frames that were decoded.
        every_nth: of those looked at; None where the rate was given a second.
        per_second: see ``FrameRate``.
        complete: it was read to its end, and whole.
        broke_off: where and why not.
    """

    file_name: str
    fps: float | None
    duration_s: float
    n_frames_read: int
    every_nth: int | None
    per_second: float | None
    complete: bool
    broke_off: str | None


class VideoReader:
    """Iterates over the frames of a video that ``rate`` wants.

    Times are ``pts * time_base`` less the stream's start, as players show them, so a variable frame rate is kept. A
    time that is missing or does not lie after the one before is replaced by that plus one frame's length. Frames are
    turned as the display matrix says; pixels are as stored: not stretched, not deinterlaced. Audio is not read.
    What cannot be decoded, or is marked as corrupt by the decoder, is left out; ``outcome`` says where that began.

    Args:
        video: which.
        rate: which frames; it is started anew.
        after: frames up to this index were had before: they are decoded again and not given.
        stop: set it to end the reading.
        patience_s: how long a live stream may give nothing, seconds.

    Attributes:
        outcome: set when the iteration has ended.

    Raises:
        InputError: when the iteration starts: the video cannot be opened or holds no video stream.
    """

    def __init__(
        self,
        video: Video,
        rate: FrameRate,
        after: int = -1,
        stop: threading.Event | None = None,
        patience_s: float = 300.0,
    ) -> None:
        self.video = video
        self.rate = rate
        self.after = after
        self.stop = stop or threading.Event()
        self.patience_s = patience_s
        self.outcome: Outcome | None = None
        self._told_s, self._exact = video.duration_s, video.exact
        self._trouble: str | None = None  # the first
        self._lost = self._failed = self._index = 0
        self._time_s = self._step_s = self._end_s = 0.0

    def __iter__(self) -> Iterator[VideoFrame]:
        self.rate.begin()
        with opened(self.video, self.stop, self.patience_s) as (container, stream):
            fps = frame_rate(stream)
            self._step_s = 1 / (fps or _FALLBACK_FPS)
            if self.video.live:  # nobody could look before
                self._told_s, self._exact = told_duration(container, stream)
            clock = _Clock(stream, self._step_s)
            for frame in self._decoded(container, stream):
                index, self._time_s = self._index, clock(frame)
                self._count_lost(self._time_s - self._end_s)
                self._end_s = self._time_s + _length_s(frame, self._step_s)
                self._index += 1
                if frame.is_corrupt:
                    self._note("a damaged frame")
                    self._lost += 1
                    continue
                if self.rate.wants(index, self._time_s) and index > self.after:
                    yield VideoFrame(index, self._time_s, _upright(frame, stream))
        self.outcome = self._result(fps)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        packets = container.demux(stream)
        while not self.stop.is_set():
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError, StoppedStream) as error:
                return self._note(str(getattr(error, "strerror", None) or error))
            if packet is None and not self.stop.is_set():
                return None
            if packet is None:
                break
            if packet.is_corrupt:
                self._note("a damaged packet")
            try:
                frames = packet.decode()
            except EOFError:
                return None
            except av.FFmpegError as error:
                self._note(str(error.strerror))
                self._failed += 1
                continue
            yield from frames
        self._note("stopped")

    def _count_lost(self, gap_s: float) -> None:
        """After packets that could not be decoded: each may have taken frames along that lean on it."""
        if self._failed:
            self._lost += max(self._failed, round(gap_s / self._step_s))
            self._failed = 0

    def _note(self, what: str) -> None:
        if self._trouble is None:
            self._trouble = f"at frame {self._index}, {self._end_s:.2f} s: {what}"

    def _result(self, fps: float | None) -> Outcome:
        self._count_lost(0.0)
        trouble, told = self._trouble, self._told_s
        missing_s = 0.0 if told is None else told - self._end_s
        short = missing_s > (_LATE_S if self._exact else _LATE_SHARED_S)
        if short:
            end = f"ends at {self._end_s:.2f} s of the {told:.2f} s that its header says"
            trouble = f"{trouble}; {end}" if trouble else f"at frame {self._index}: {end}"
        if self._lost:
            trouble = f"{trouble}; frames lost: {self._lost}"
        sampling = (self.rate.every_nth if self.rate.per_second is None else None), self.rate.per_second
        read = round(self._end_s, 3), self._index
        return Outcome(self.video.file_name, fps, *read, *sampling, trouble is None, trouble)


class _Clock:
    """Times of frames in their order, seconds from the stream's start, rising."""

    def __init__(self, stream: VideoStream, step_s: float) -> None:
        self._step_s = step_s
        self._start = stream.start_time  # None where the header does not say: then the first frame's
        self._last_s: float | None = None

    def __call__(self, frame: av.VideoFrame) -> float:
        time_s: float | None = None
        if frame.pts is not None and frame.time_base is not None:
            self._start = frame.pts if self._start is None else self._start
            time_s = float((frame.pts - self._start) * frame.time_base)
        if self._last_s is None:
            time_s = max(0.0, time_s or 0.0)
        elif time_s is None or time_s <= self._last_s:
            time_s = self._last_s + self._step_s
        self._last_s = time_s
        return time_s


def _length_s(frame: av.VideoFrame, usual_s: float) -> float:
    """How long a frame is shown."""
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s


def _upright(frame: av.VideoFrame, stream: VideoStream) -> Rgb:
    """Pixels turned by the display matrix, else by the older ``rotate`` entry; by whole quarter turns."""
    image = frame.to_ndarray(format="rgb24")
    counterclockwise = frame.rotation
    if not counterclockwise:
        try:
            counterclockwise = -int(stream.metadata.get("rotate", "0"))
        except ValueError:
            counterclockwise = 0
    return np.ascontiguousarray(np.rot90(image, round(counterclockwise / 90) % 4))
