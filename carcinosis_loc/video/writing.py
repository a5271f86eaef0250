"""MP4 out of pictures: for browsers, in segments that are joined without encoding again; or nearly without loss."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from carcinosis_loc.files import atomic_path, make_folder
from carcinosis_loc.points import Size

Rgb = npt.NDArray[np.uint8]

_TICKS = 90_000  # a second: holds the times of any usual frame rate
# H.264 is what every browser plays; a build of FFmpeg without it writes what it has.
_FOR_BROWSERS = {
    "libx264": {"preset": "veryfast", "crf": "23"},
    "libopenh264": {"qscale": "4"},
    "mpeg4": {"qscale": "4"},
}
_NEARLY_WITHOUT_LOSS = {"libx264": {"preset": "fast", "crf": "12"}, "mpeg4": {"qscale": "2"}}
# No encoder's name, no time of writing: nothing but the picture.
_CONTAINER = {"fflags": "+bitexact", "video_track_timescale": str(_TICKS), "movie_timescale": str(_TICKS)}
_BT709 = 1  # as H.273 numbers it; what players take for granted in HD


class Mp4Segment:
    """Some frames in a row as a video file of their own, that starts with a whole picture.

    Args:
        path: where.
        size: ``(height, width)``, even numbers.
        first: the clock of the frame before, in ticks, that the next must exceed; -1 at the start.
    """

    def __init__(self, path: Path, size: Size, first: int = -1) -> None:
        make_folder(path.parent)
        self.last = first
        self._container = av.open(str(path), "w", format="mp4", options=_CONTAINER)
        self._stream = _stream(self._container, size, Fraction(25), _FOR_BROWSERS)
        context = self._stream.codec_context
        context.max_b_frames = 0  # pictures lie in the order of their times, so segments can be put in a row
        context.time_base = Fraction(1, _TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT709

    def add(self, picture: Rgb, time_s: float) -> None:
        """The next picture ``(height, width, 3)``; its time is moved on where it does not lie after the last one's."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        self.last = max(self.last + 1, round(time_s * _TICKS))
        frame.pts, frame.time_base = self.last, Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is left; the file is whole then."""
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def __enter__(self) -> "Mp4Segment":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def join_segments(segments: Sequence[Path], target: Path) -> None:
    """One MP4 out of segments in their order, whole or not at all; pictures are copied as they are."""
    with atomic_path(target) as path:
        options = {**_CONTAINER, "movflags": "+faststart"}
        with av.open(str(path), "w", format="mp4", options=options) as out:
            stream = None
            for segment in segments:
                with av.open(f"file:{segment}", "r") as source:
                    given = source.streams.video[0]
                    if stream is None:
                        stream = out.add_stream_from_template(given)
                    for packet in source.demux(given):
                        if packet.dts is not None:  # the empty packet at the end has none
                            packet.stream = stream
                            out.mux(packet)


class VideoWriter:
    """An MP4 file at a fixed frame rate, there whole or not at all once the ``with`` block is left.

    Equal pictures give equal bytes; little is lost, as befits what others are to look at and to measure.

    Args:
        path: of the file.
        size: ``(height, width)``, even numbers.
        fps: frames a second.
    """

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        self.path, self.size, self.fps = path, size, fps

    def __enter__(self) -> "VideoWriter":
        with ExitStack() as stack:
            target = stack.enter_context(atomic_path(self.path))
            self._container = stack.enter_context(av.open(str(target), "w", options={"fflags": "+bitexact"}))
            rate = Fraction(self.fps).limit_denominator(1001)
            self._stream = _stream(self._container, self.size, rate, _NEARLY_WITHOUT_LOSS)
            self._stream.codec_context.thread_count = 1
            self._stack = stack.pop_all()
        return self

    def add(self, picture: Rgb) -> None:
        """The next picture, ``(height, width, 3)``."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._stack.__exit__(kind, error, trace)


def _stream(
    container: OutputContainer, size: Size, rate: Fraction, encoders: Mapping[str, dict[str, str]]
) -> VideoStream:
    """A stream with the first of ``encoders`` that this build of FFmpeg has."""
    name = next(name for name in encoders if name in av.codecs_available)
    stream = container.add_stream(name, rate=rate, options=encoders[name])
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    return stream
