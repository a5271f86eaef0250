"""What a video is before it is read: found by its name or content, opened, with what its header says."""

import os
import re
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from carcinosis_loc.errors import InputError
from carcinosis_loc.video.piping import IndexBehind, Piped, StoppedStream

STDIN = "-"
# What a folder is searched for; a file that is named is opened whatever its suffix.
_CONTAINERS = "mp4 m4v mov mkv webm avi mpg mpeg m2v vob ts m2ts mts wmv asf flv 3gp ogv mxf dv h264 264 hevc h265"
# What comes through a pipe may be a description of a stream (SDP), for which libav would listen at a network port.
_NOTHING_ELSE = {"protocol_whitelist": "none"}
SUFFIXES = frozenset(f".{name}" for name in re.findall(r"\w+", _CONTAINERS))


@dataclass(frozen=True)
class Video:
    """A video that can be read.

    Attributes:
        file_name: what it is called in all that is written.
        source: a path, or ``-`` for standard input.
        live: it can be read once only and has no end that is known: standard input, a device.
        fps: frames a second on average, as far as the header says.
        duration_s: as the header says; None where it does not.
        exact: the duration is the picture's own and not that of the longest of several streams.
    """

    file_name: str
    source: str
    live: bool = False
    fps: float | None = None
    duration_s: float | None = None
    exact: bool = True

    @property
    def place(self) -> str:
        """Where it comes from, for messages."""
        return "standard input" if self.source == STDIN else self.source


def is_video_name(path: Path) -> bool:
    """Whether a file is a video by its suffix."""
    return path.suffix.lower() in SUFFIXES


def find_video(source: str) -> Video | None:
    """The video that ``source`` is: standard input, a device, or a file that can be opened as one; else None.

    Raises:
        InputError: standard input is a terminal; or a file whose name says that it is a video is none.
    """
    if source == STDIN:
        if sys.stdin is not None and sys.stdin.isatty():
            raise InputError("standard input: is a terminal; pipe a video into it")
        mode = os.fstat(0).st_mode
        return probe("/dev/stdin", "stdin") if stat.S_ISREG(mode) else Video("stdin", STDIN, live=True)
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return Video(path.name, source, live=True)
    if is_video_name(path):
        return probe(source, path.name)
    try:
        return probe(source, path.name)
    except InputError:
        return None


def probe(source: str, file_name: str) -> Video:
    """Open a video file, decode its first frame, and tell what its header says.

    Raises:
        InputError: it cannot be opened, holds no video stream, or not one frame that can be decoded.
    """
    video = Video(file_name, source)
    with opened(video) as (container, stream):
        fps, (duration_s, exact) = frame_rate(stream), told_duration(container, stream)
        packets = container.demux(stream)
        try:
            while not next(packets).decode():
                pass
        except (StopIteration, EOFError):
            raise InputError(f"{source}: holds a video stream with not one frame in it") from None
        except av.FFmpegError as error:
            # a damaged beginning: what follows may be whole
            if not _any_frame(packets):
                raise InputError(f"{source}: not one frame of it can be decoded ({_reason(error)})") from error
    return Video(file_name, source, False, fps, duration_s, exact)


@contextmanager
def opened(
    video: Video, stop: threading.Event | None = None, patience_s: float = 300.0
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream. Nothing is fetched from a network, whatever the file says.

    Args:
        video: which.
        stop: ends a live stream.
        patience_s: how long a live stream may give nothing, seconds.

    Raises:
        InputError: it cannot be opened, or holds no video stream.
    """
    name = video.place
    with ExitStack() as closing:
        try:
            container = closing.enter_context(_container(video, stop or threading.Event(), patience_s, closing))
        except IndexBehind as error:
            raise InputError(
                f"{name}: is an MP4 or MOV with its index behind the pictures, which cannot be read from a pipe: give "
                "the file's path, or pipe what ffmpeg -i FILE -c copy -movflags +faststart NEW.mp4 makes of it"
            ) from error
        except (av.FFmpegError, ValueError, OSError, StoppedStream) as error:
            hint = "" if video.live else _hint(Path(video.source))
            raise InputError(f"{name}: cannot be read as a video ({_reason(error)}){hint}") from error
        if not container.streams.video:
            kinds = sorted({stream.type for stream in container.streams})
            raise InputError(f"{name}: holds no video stream{', only ' if kinds else ''}{' and '.join(kinds)}")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _container(video: Video, stop: threading.Event, patience_s: float, closing: ExitStack) -> InputContainer:
    if video.source == STDIN:
        return av.open(Piped(0, stop, patience_s), "r", options=_NOTHING_ELSE)
    if not video.live:
        return av.open(f"file:{video.source}", "r", options={"protocol_whitelist": "file"})
    if stat.S_ISCHR(os.stat(video.source).st_mode):
        return av.open(video.source, "r", format="video4linux2", timeout=patience_s)
    handle = os.open(video.source, os.O_RDONLY | os.O_NONBLOCK)  # while nobody writes into it, it would block here
    closing.callback(os.close, handle)
    return av.open(Piped(handle, stop, patience_s), "r", options=_NOTHING_ELSE)


def frame_rate(stream: VideoStream) -> float | None:
    """Frames a second on average, None where neither header nor guess says."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate:
            return float(rate)
    return None


def told_duration(container: InputContainer, stream: VideoStream) -> tuple[float | None, bool]:
    """The header's duration in seconds, and whether it is the picture's own."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base), True
    words = stream.metadata.get("DURATION", "").split(":")  # Matroska's statistics: 00:00:04.000000000
    try:
        hours, minutes, seconds = (float(word) for word in words)
    except ValueError:
        alone = len(container.streams) == 1
        return (None, True) if container.duration is None else (container.duration / av.time_base, alone)
    return 3600 * hours + 60 * minutes + seconds, True


def _any_frame(packets: Iterator[Any]) -> bool:
    while True:
        try:
            if next(packets).decode():
                return True
        except (StopIteration, EOFError):
            return False
        except av.FFmpegError:
            continue


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).lower().rstrip(".: ")


def _hint(path: Path) -> str:
    """What may be the matter with a file that libav does not take."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
        if path.stat().st_size == 0:
            return "; it is empty"
    except OSError:
        return ""
    if start[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        return "; an MP4 or MOV whose recording broke off lacks its index: a repair program can rebuild it"
    return ""
